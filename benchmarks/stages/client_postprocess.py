"""The class of each image, one a line, into result.txt."""

import numpy as np

from benchmarks.stages.instance import Instance, stage


def main(instance: Instance) -> None:
    """The class of each image, one a line, into result.txt."""
    scores = np.load(instance.file("intermediate", "scores.npy"))
    lines = "".join(f"{label}\n" for label in scores.argmax(axis=1))
    instance.file("result.txt").write_text(lines)


if __name__ == "__main__":
    stage(main)
