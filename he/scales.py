"""The least scale that keeps a precision: what both layouts search when they choose their parameters."""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from he.ckks import noise
from he.ckks.params import SCALE_BITS_RANGE
from he.ckks.primes import MAX_BITS

Plan = TypeVar("Plan")

SHARE_BITS = 5
"""Where the caller asks for no precision, the error's bound is at most 2^-5 of the scores' deviation."""
SCORE_ROOM = 2.0  # scores of other inputs may be this many times the samples' largest before they wrap round
LAST_ROUNDING_BITS = 4  # of the error that the precision allows the last rescaling takes up to 2^-4


def usual_precision(expected: NDArray[np.float64]) -> float:
    """Bits behind the point for scores (count, outputs) that differ as much as these do."""
    spread = float(expected.std()) or float(np.abs(expected).max()) or 1.0
    return SHARE_BITS - math.log2(spread)


def score_bits(expected: NDArray[np.float64]) -> int:
    """Bits in front of the point that scores take, those of other inputs included."""
    return math.ceil(math.log2(SCORE_ROOM * (1 + float(np.abs(expected).max()))))


def least(
    attempt: Callable[[int, int], tuple[Plan, float]], expected: NDArray[np.float64], precision: float
) -> Plan:
    """The plan of the least scale whose error is at most 2^-precision.

    attempt(scale_bits, score_bits): a plan with a scale of this size and room for scores below
    2^score_bits, and a bound on the error of its scores. expected: the samples' scores in the clear.
    ValueError if no scale suffices.
    """
    room = score_bits(expected)
    low, high = SCALE_BITS_RANGE[0], min(SCALE_BITS_RANGE[1], MAX_BITS - 1 - room)
    if high < low:
        raise ValueError(
            f"the samples' scores reach 2^{room - 1}, expected less than 2^{MAX_BITS - 2 - low}: "
            "scale the last layer down"
        )
    best, error = attempt(high, room)
    if error > 2.0**-precision:
        raise ValueError(
            f"{precision:.4g} bits of precision asked for, expected at most the {-math.log2(error):.1f} that "
            f"the largest scale, 2^{high}, gives: ask for less"
        )
    while low < high:
        bits = (low + high) // 2
        plan, error = attempt(bits, room)
        if error > 2.0**-precision:
            low = bits + 1
        else:
            best, high = plan, bits
    return best


def last_scale_bits(slots: int, precision: float) -> int:
    """log2 of the least scale at which the last rescaling's rounding leaves a precision (bits).

    slots: N/2; the rounding is that of `noise.rounding`.
    """
    variance = (1 + slots * 4 / 3) / 12
    deviation = noise.TAIL * math.sqrt(slots * variance)
    return math.ceil(math.log2(deviation) + precision + LAST_ROUNDING_BITS)
