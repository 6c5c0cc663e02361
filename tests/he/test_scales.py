import numpy as np
import pytest

from he import scales


def attempt(bits: int, first_bits: int) -> tuple[int, float]:
    return bits, 2.0 ** (10 - bits)


def test_the_least_scale_is_found() -> None:
    scores = np.array([1.0])
    assert scales.least(attempt, scores, 15) == 25
    assert scales.least(attempt, scores, 1) == 20
    with pytest.raises(ValueError, match=r"40 bits of precision asked for, expected at most the 35.0"):
        scales.least(attempt, scores, 40)


def test_the_first_prime_has_room_for_the_scores() -> None:
    seen = []

    def note(bits: int, first_bits: int) -> tuple[int, float]:
        seen.append(first_bits - bits)
        return bits, 0.0

    scales.least(note, np.array([100.0]), 8)
    assert set(seen) == {1 + 9}  # a sign, and 4 (1 + 100) < 2^9


def test_scores_without_room_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores reach 2\^\d+, expected less than 2\^27"):
        scales.least(attempt, np.array([2.0**30]), 8)
