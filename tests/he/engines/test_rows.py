from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from he.ckks import linear
from he.engines import rows

Array = NDArray[np.float64]


class Counting:
    """The smaller verbs on arrays, with a count of rotations."""

    def __init__(self) -> None:
        self.rotations = 0

    def add(self, x: Array, y: Array) -> Array:
        return x + y

    def multiply_plain(self, x: Array, y: Array) -> Array:
        return x * y

    def rotate(self, x: Array, steps: Sequence[int]) -> list[Array]:
        self.rotations += sum(k != 0 for k in steps)
        return [np.roll(x, -k) for k in steps]


@pytest.mark.parametrize(("count", "block", "rotations"), [(1, 1, 0), (4, 2, 2), (16, 4, 6), (16, 16, 15)])
def test_a_linear_map_takes_baby_steps_and_giant_steps(count: int, block: int, rotations: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=32)
    diagonals = {k: rng.normal(size=32) for k in range(count)}
    engine = Counting()
    got = rows.linear(engine, x, linear.split(diagonals, block).rows)
    expected = sum(d * np.roll(x, -k) for k, d in diagonals.items())
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    assert engine.rotations == rotations
