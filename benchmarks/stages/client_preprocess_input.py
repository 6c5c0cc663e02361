"""Read the pixels of the images and normalise them as the network was trained."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.stages.instance import Instance, read, stage

PIXELS = 784
MEAN, DEVIATION = 0.1307, 0.3081


def normalised(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels (images, 784) in 0..1, with the mean and the deviation of MNIST's taken out."""
    return (pixels - MEAN) / DEVIATION


def main(instance: Instance) -> None:
    """Read the pixels of the images and normalise them as the network was trained."""
    text = read(instance.pixels).decode("ascii", errors="replace")
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if not rows or any(len(row) != PIXELS for row in rows):
        found = sorted({len(row) for row in rows})
        raise ValueError(f"{instance.pixels} has lines of {found} numbers, expected {PIXELS} in each")
    np.save(instance.file("intermediate", "input.npy"), normalised(np.array(rows, dtype=np.float64)))


if __name__ == "__main__":
    stage(main)
