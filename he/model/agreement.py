"""A few samples that a network is run on while it is read, and whether the graph gives what it gives."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model.convolution import Shape
from he.model.graph import Graph
from he.model.nonlinear import Activation

TRACED = 3
"""Samples that the network is run on while it is read: more than one, to see which axis is the batch's."""
ROUNDING = 1e-9
"""How far the graph may be from the network on them, relative to the largest output: float64, long sums."""


def checked(samples: ArrayLike) -> NDArray[np.float64]:
    """The samples (count, *input shape) as float64; ValueError if there are none, for NaN and infinity."""
    given = np.asarray(samples, dtype=np.float64)
    if given.ndim < 2 or len(given) == 0:
        raise ValueError(f"samples have shape {given.shape}, expected (count, *input shape)")
    if not np.isfinite(given).all():
        raise ValueError("samples hold NaN or infinity, expected finite numbers")
    return given


def few(samples: NDArray[np.float64] | None, shape: Shape, count: int = TRACED) -> NDArray[np.float64]:
    """`count` samples of this shape: the first of those given, random ones where they are too few."""
    random = np.random.default_rng(0).uniform(-1, 1, (count, *shape))
    return random if samples is None else np.concatenate([samples, random])[:count].copy()


def expect_equal(graph: Graph, x: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Against what reading does not show, such as branches on values."""
    error = float(np.abs(graph(x).ravel() - expected.ravel()).max())
    if not error <= ROUNDING * max(1.0, float(np.abs(expected).max())):
        raise ValueError(
            f"the graph read from the network differs from it by {error:.3g} on samples, expected equality: "
            "does it depend on more than its input?"
        )


def without_last_sigmoid(graph: Graph) -> Graph:
    """Its values lie above 0 for both classes, where those before it differ in sign."""
    *before, last = graph.nodes
    if before and last.layer == Activation("sigmoid"):
        return Graph(graph.input_shape, tuple(before))
    return graph
