"""Run the network on the ciphertexts."""

import he
from benchmarks.stages.instance import Instance, stage


def main(instance: Instance) -> None:
    """Run the network on the ciphertexts."""
    model = he.Model.load(instance.built / "model")
    server = he.Server(model, instance.io / "public_keys" / "evaluation_keys")
    response = server.predict(instance.read("ciphertexts_upload", "request"))
    instance.file("ciphertexts_download", "response").write_bytes(response)


if __name__ == "__main__":
    stage(main)
