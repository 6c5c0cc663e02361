import numpy as np
import pytest

from he import scales
from he.ckks import noise
from he.ckks.params import CkksParams, CkksSpec


def attempt(bits: int, first_bits: int) -> tuple[int, float]:
    return bits, 2.0 ** (10 - bits)


def test_the_least_scale_is_found() -> None:
    scores = np.array([1.0])
    assert scales.least(attempt, scores, 15) == 25
    assert scales.least(attempt, scores, 1) == 20
    with pytest.raises(ValueError, match=r"40 bits of precision asked for, expected at most the 35.0"):
        scales.least(attempt, scores, 40)


def test_scores_get_room_for_those_of_other_inputs() -> None:
    seen = []

    def note(bits: int, score_bits: int) -> tuple[int, float]:
        seen.append(score_bits)
        return bits, 0.0

    scales.least(note, np.array([100.0]), 8)
    assert set(seen) == {8}  # 2 (1 + 100) < 2^8


def test_scores_without_room_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores reach 2\^\d+, expected less than 2\^28"):
        scales.least(attempt, np.array([2.0**30]), 8)


def test_the_usual_precision_follows_the_scores() -> None:
    """Scores ten times as far apart may have ten times the error."""
    scores = np.random.default_rng(0).normal(size=(50, 3))
    assert scales.usual_precision(scores) == pytest.approx(5, abs=0.3)
    assert scales.usual_precision(scores) - scales.usual_precision(8 * scores) == pytest.approx(3)
    assert scales.usual_precision(np.array([[4.0]])) == 3


def test_the_last_scale_leaves_most_of_the_error_to_the_rest() -> None:
    params = CkksParams.from_spec(CkksSpec(log_n=13, depth=2))
    bits = scales.last_scale_bits(params.slots, 5)
    error = noise.TAIL * noise.slot_deviation(params, noise.rounding(params), 2.0**bits)
    assert 2**-10 < error <= 2**-9
