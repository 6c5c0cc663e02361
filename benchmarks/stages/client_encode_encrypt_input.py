"""Encrypt the images; the ciphertexts go to the server."""

import numpy as np

from benchmarks.stages import keyholder
from benchmarks.stages.instance import Instance, stage


def main(instance: Instance) -> None:
    """Encrypt the images; the ciphertexts go to the server."""
    x = np.load(instance.file("intermediate", "input.npy"))
    request = keyholder.ask(instance.io / "client", "encrypt", x)
    instance.file("ciphertexts_upload", "request").write_bytes(request)


if __name__ == "__main__":
    stage(main)
