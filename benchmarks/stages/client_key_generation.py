"""Make the client's keys for the plan; the public ones go to the server."""

from benchmarks.stages import keyholder
from benchmarks.stages.instance import Instance, read, stage


def main(instance: Instance) -> None:
    """Make the client's keys for the plan; the public ones go to the server."""
    keys = instance.file("public_keys", "evaluation_keys")
    keyholder.start(read(instance.built / "plan"), keys, instance.io / "client")


if __name__ == "__main__":
    stage(main)
