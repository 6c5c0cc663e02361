import numpy as np
import pytest

from he.model.blocks import clear, of_graph
from he.model.graph import Graph, Node
from he.model.layers import Dense
from he.model.nonlinear import Activation
from he.model.outside import AT_ONCE, scores_and_outside
from he.model.replacement import replace

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(200, 4))
NET = Graph(
    (4,),
    (
        Node("first", Dense(RNG.normal(size=(8, 4)), RNG.normal(size=8))),
        Node("act", Activation("relu"), (0,)),
        Node("last", Dense(RNG.normal(size=(3, 8))), (1,)),
    ),
)
BLOCKS = of_graph(replace(NET, SAMPLES, degree=7))


def test_nothing_is_outside_on_the_samples_themselves() -> None:
    scores, found = scores_and_outside(BLOCKS, SAMPLES)
    np.testing.assert_allclose(scores, clear(BLOCKS, SAMPLES), rtol=0, atol=1e-12)
    assert found == ()


def test_samples_and_values_outside_are_counted_over_chunks() -> None:
    """Three samples, far apart, of which the last leaves the interval below and above."""
    rows = np.zeros((AT_ONCE + 7, 4))
    rows[[3, AT_ONCE - 1, AT_ONCE + 5]] = 50 * SAMPLES[:3]
    (found,) = scores_and_outside(BLOCKS, rows)[1]
    sums = rows @ BLOCKS[0].matrix.toarray().T + BLOCKS[0].bias
    a, b = found.interval
    out = (sums < a) | (sums > b)
    assert (found.samples, found.count, found.values) == (3, len(rows), int(out.sum()))
    assert found.farthest == pytest.approx(max(a - sums.min(), sums.max() - b))
    assert str(found).startswith(f"3 of {len(rows)} samples leave [")


def test_values_that_overflow_are_outside() -> None:
    _, found = scores_and_outside(BLOCKS, np.full((1, 4), 1e300))
    assert found[0].samples == 1
