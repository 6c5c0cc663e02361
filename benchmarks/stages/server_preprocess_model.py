"""Read the model and the client's keys, and see that they fit each other."""

import he
from benchmarks.stages.instance import Instance, stage


def main(instance: Instance) -> None:
    """Read the model and the client's keys, and see that they fit each other."""
    model = he.Model.load(instance.built / "model")
    he.Server(model, instance.io / "public_keys" / "evaluation_keys")


if __name__ == "__main__":
    stage(main)
