from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from he.model import ranges
from he.model.activation import MARGIN, interval_of

ROWS = np.array([[0.0, 17.0, 0.0, 5.0], [1.0, 90.0, 1.0, 5.0]])


def test_like_neighbours_are_one_run_and_limits_are_round() -> None:
    assert ranges.of_samples(ROWS[:, [0, 2, 1]]) == ((2, -0.3, 1.3), (1, -10.0, 110.0))


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e6, 1e6, width=32)))
def test_samples_and_their_margin_lie_inside(rows: Any) -> None:
    found = ranges.of_samples(rows)
    assert sum(count for count, _, _ in found) == 3
    assert ranges.complaint(found, rows) == ""
    limits = [run[1:] for run in found for _ in range(run[0])]
    for (low, high), column in zip(limits, rows.T, strict=True):
        a, b = interval_of(column, MARGIN)
        assert low <= a + 1e-9 * abs(a)
        assert high >= b - 1e-9 * abs(b)
        assert high - low <= 2.01 * (b - a)
    assert ranges.checked([list(run) for run in found], 3) == found


def test_who_lies_outside_and_how_far() -> None:
    found = ranges.of_samples(ROWS)
    message = ranges.complaint(found, np.array([[0, 50, 0, 5], [0, 50, 8, 5], [0, 130, 0, 5.0]]))
    assert message.startswith(
        "2 of 3 samples lie outside the range that the model was fitted on, the farthest"
    )
    assert "by 4.2 times its width (row 1, column 2: 8, expected -0.3 to 1.3)" in message
    assert ranges.complaint((), ROWS * 1e9) == ""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "ranges are None, expected runs"),
        ([[1, 2]], r"ranges are \[\[1, 2\]\], expected runs"),
        ([[0, 1.0, 2.0]], "expected runs of"),
        ([[2, 2.0, 1.0]], "expected two ascending numbers"),
        ([[2, "a", 1.0]], "expected two ascending numbers"),
        ([[2, 0.0, float("inf")]], "expected two ascending numbers"),
        ([[1, 0.0, 1.0]], "ranges of 1 features given, expected 2"),
    ],
)
def test_what_are_no_ranges_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ranges.checked(given, 2)
