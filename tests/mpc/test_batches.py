"""Batches and rates: each row once an epoch, the same everywhere, and rates as in their formulas."""

import numpy as np
import pytest

from mpc.batches import batches, factor


def test_each_row_once_an_epoch() -> None:
    steps = list(batches(10, 3, steps=7, seed=1))
    assert [len(rows) for rows in steps] == [3] * 7
    for epoch in (steps[:3], steps[3:6]):
        assert len(set(np.concatenate(epoch))) == 9
    assert [list(rows) for rows in steps] == [list(rows) for rows in batches(10, 3, steps=7, seed=1)]
    assert [list(rows) for rows in steps] != [list(rows) for rows in batches(10, 3, steps=7, seed=2)]


def test_all_rows_in_order() -> None:
    assert [list(rows) for rows in batches(3, None, steps=2, seed=1)] == [[0, 1, 2]] * 2


def test_sizes_out_of_range() -> None:
    with pytest.raises(ValueError, match="batch_size must be from 1 to 10, the number of rows, got 0"):
        batches(10, 0, steps=1, seed=1)


def test_rates() -> None:
    assert [factor("constant", step, 4) for step in range(4)] == [1.0] * 4
    assert [factor("invscaling", step, 4) for step in (0, 3)] == [1.0, 0.5]
    assert [factor("cosine", step, 4) for step in (0, 2)] == pytest.approx([1.0, 0.5])
    with pytest.raises(ValueError, match="got 'linear'"):
        factor("linear", 0, 1)
