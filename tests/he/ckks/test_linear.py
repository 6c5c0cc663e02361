import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from he.ckks import linear


@given(st.integers(0, 5), st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_split_diagonals_make_the_same_sum(log_count: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=32)
    diagonals = {k: rng.integers(-3, 4, size=32).astype(float) for k in range(1 << log_count)}
    expected = sum(d * np.roll(x, -k) for k, d in diagonals.items())
    rows = linear.split(diagonals, block).rows
    got = sum(np.roll(sum(d * np.roll(x, -b) for b, d in row.items()), -g) for g, row in rows.items())
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)
    assert all(b < block and g % block == 0 for g, row in rows.items() for b in row)


def test_zero_diagonals_are_left_out() -> None:
    rows = linear.split({0: np.ones(4), 1: np.zeros(4), 3: np.ones(4)}, 2).rows
    assert {g: set(row) for g, row in rows.items()} == {0: {0}, 2: {1}}
