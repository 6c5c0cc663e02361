"""What the tests of engines ask of two ciphertexts at level 3."""

from collections.abc import Callable
from typing import Any

import numpy as np

from he.ckks import linear
from he.ckks.linear import Diagonals


def diagonals(slots: int) -> Diagonals:
    return linear.split({k: np.cos(np.arange(slots) * k) for k in (0, 1, 2, 3)}, 2)


def verbs(slots: int) -> dict[str, Callable[..., Any]]:
    """Each takes an evaluator with the rotations 1, 2 and 7, and the ciphertexts x and y."""
    weights = diagonals(slots)
    return {
        "add": lambda e, x, y: e.add(x, y),
        "add_plain": lambda e, x, y: e.add_plain(x, e.encode(np.arange(512) / 512, 3, 2.0**40)),
        "add_number": lambda e, x, y: e.add_number(x, -0.75),
        "multiply": lambda e, x, y: e.multiply(x, y),
        "drop": lambda e, x, y: e.multiply(e.drop(x, 1), e.drop(y, 1)),
        "rotate": lambda e, x, y: e.add(*e.rotate(x, [1, 7])),
        "fold": lambda e, x, y: e.fold(x, [1, 2]),
        "linear": lambda e, x, y: e.linear(x, e.encode_linear(weights, 3, 2.0**40)),
        "polynomial": lambda e, x, y: e.polynomial(x, [0.5, 0.25, -0.5, 0.125]),
    }
