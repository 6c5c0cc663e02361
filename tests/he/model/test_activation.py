import itertools
from typing import Any

import numpy as np
import pytest

from he.model import activation
from he.model.graph import Graph, Node
from he.model.layers import Dense
from he.model.nonlinear import Activation

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(200, 4))


def perceptron(kind: Any) -> Graph:
    return Graph(
        (4,),
        (
            Node("first", Dense(RNG.normal(size=(8, 4)), RNG.normal(size=8))),
            Node("act", Activation(kind), (0,)),
            Node("last", Dense(RNG.normal(size=(3, 8))), (1,)),
        ),
    )


@pytest.mark.parametrize("kind", ["relu", "gelu", "silu", "sigmoid", "tanh", "softplus"])
def test_errors_fall_with_the_degree(kind: Any) -> None:
    x = RNG.uniform(-3, 3, size=5000)
    exact = Activation(kind)(x)
    errors = [np.sqrt(np.mean((activation.fit(kind, x, d)(x) - exact) ** 2)) for d in (3, 7, 15, 31)]
    assert all(later < earlier for earlier, later in itertools.pairwise(errors))
    assert errors[-1] < (0.02 if kind == "relu" else 1e-3)


def test_minimax_has_the_least_largest_error() -> None:
    x = RNG.normal(size=2000)
    least, squares = (activation.fit("relu", x, 7, method=method) for method in ("minimax", "least squares"))
    assert least.interval == squares.interval
    grid = np.linspace(*least.interval, 4001)
    error, other = (np.abs(p(grid) - np.maximum(grid, 0)).max() for p in (least, squares))
    assert error < other
    # The best error takes its largest size, with alternating signs, degree + 2 times (Chebyshev).
    difference = least(grid) - np.maximum(grid, 0)
    signs = np.sign(difference[np.abs(difference) > 0.98 * error])
    assert 1 + np.count_nonzero(np.diff(signs)) >= 9


def test_the_interval_is_the_samples_range_and_a_margin() -> None:
    assert activation.fit("relu", [0.0, 4.0], 3, margin=0.25).interval == (-1.0, 5.0)
    assert activation.interval_of(np.array([2.0]), 0.5) == (0.0, 4.0)


def test_a_degree_and_a_margin_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"degree 0 and margin 0\.25 given"):
        activation.fit("relu", SAMPLES, 0)
    with pytest.raises(ValueError, match="1 not finite"):
        activation.fit("relu", [1.0, np.inf], 3)
