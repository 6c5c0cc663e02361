"""Thousands of encrypted images at once: TenSEAL's tutorial network in the throughput layout.

Off by default; `make bench` runs it. Beside the time of a batch on all cores stand images a second, what
travels, the peak memory of a server process, the error against the network in the clear, and TenSEAL's time
for one image with the same weights, measured in the same run (its layout holds one image; it has no other).
"""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import he
from he.model.graph import INPUT, Graph, Node
from he.model.layers import Conv, Dense, Reindex
from he.model.nonlinear import Square

SHARED = Path(__file__).parents[2] / "shared"
WEIGHTS, IMAGES = SHARED / "weights" / "convmnist_square.npz", SHARED / "data" / "mnist.npz"
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels, as the network was trained

pytestmark = pytest.mark.skipif(
    not (WEIGHTS.exists() and IMAGES.exists()), reason="needs ../shared: weights and MNIST"
)


def network() -> Graph:
    """conv 4x7x7 stride 3, square, 256 -> 64, square, 64 -> 10."""
    w = np.load(WEIGHTS)
    layers = [
        Conv(w["conv1_weight"].reshape(4, 1, 7, 7), w["conv1_bias"], stride=(3, 3)),
        Square(),
        Reindex.reshape((4, 8, 8), (256,)),
        Dense(w["fc1_weight"].T, w["fc1_bias"]),
        Square(),
        Dense(w["fc2_weight"].T, w["fc2_bias"]),
    ]
    names = ["conv1", "square1", "flatten", "fc1", "square2", "fc2"]
    nodes = zip(names, layers, range(INPUT, len(layers) - 1), strict=True)
    return Graph((1, 28, 28), tuple(Node(name, layer, (source,)) for name, layer, source in nodes))


def images() -> NDArray[np.float64]:
    """MNIST's test images (10000, 1, 28, 28), normalised."""
    x = np.load(IMAGES)["x_test"].reshape(-1, 1, 28, 28)
    return np.asarray((x / 255 - MEAN) / DEVIATION)
