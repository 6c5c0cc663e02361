"""Decrypt the scores."""

import numpy as np

from benchmarks.stages import keyholder
from benchmarks.stages.instance import Instance, stage


def main(instance: Instance) -> None:
    """Decrypt the scores."""
    response = instance.read("ciphertexts_download", "response")
    scores = keyholder.ask(instance.io / "client", "decrypt", response)
    np.save(instance.file("intermediate", "scores.npy"), scores)


if __name__ == "__main__":
    stage(main)
