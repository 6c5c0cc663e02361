"""The least scale that keeps a precision: what both layouts search when they choose their parameters."""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from he.ckks.params import SCALE_BITS_RANGE
from he.ckks.primes import MAX_BITS

Plan = TypeVar("Plan")

PRECISION_BITS = 12  # behind the point, where the caller asks for no other precision
SCORE_ROOM = 4.0  # scores of other inputs may be this many times the samples' largest before they wrap round


def least(
    attempt: Callable[[int, int], tuple[Plan, float]], expected: NDArray[np.float64], precision: int
) -> Plan:
    """The plan of the least scale whose error is at most 2^-precision.

    attempt(scale_bits, first_bits): a plan with a scale and a first prime of these sizes, and a bound on the
    error of its scores. expected: the samples' scores in the clear. ValueError if no scale suffices.
    """
    score_bits = math.ceil(math.log2(SCORE_ROOM * (1 + float(np.abs(expected).max()))))
    low, high = SCALE_BITS_RANGE[0], min(SCALE_BITS_RANGE[1], MAX_BITS - 1 - score_bits)
    if high < low:
        raise ValueError(
            f"the samples' scores reach 2^{score_bits - 2}, expected less than 2^{MAX_BITS - 3 - low}: "
            "scale the last layer down"
        )
    best, error = attempt(high, high + 1 + score_bits)
    if error > 2.0**-precision:
        raise ValueError(
            f"{precision} bits of precision asked for, expected at most the {-math.log2(error):.1f} that the "
            f"largest scale, 2^{high}, gives: ask for less"
        )
    while low < high:
        bits = (low + high) // 2
        plan, error = attempt(bits, bits + 1 + score_bits)
        if error > 2.0**-precision:
            low = bits + 1
        else:
            best, high = plan, bits
    return best
