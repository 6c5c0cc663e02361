"""The parameters for a throughput plan: the smallest ring and scale that keep a precision on samples."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from he.ckks.params import SCALE_BITS_RANGE, CkksSpec
from he.ckks.primes import MAX_BITS
from he.ckks.smallest import smallest_spec
from he.engines.clear import ClearEvaluator
from he.model.blocks import Block, clear
from he.throughput import run
from he.throughput.plan import ThroughputPlan, depth, shapes_of

PRECISION_BITS = 12
SCORE_ROOM = 4.0  # scores of other inputs may be this many times the samples' largest before they wrap round
MOST_SAMPLES = 64  # that the precision is predicted on
WITHOUT_SAMPLES_BITS = 40


def choose(
    blocks: Sequence[Block],
    features: int,
    samples: NDArray[np.float64] | None,
    *,
    security: int,
    precision: int = PRECISION_BITS,
) -> ThroughputPlan:
    """The plan of least estimated time a sample whose scores keep `precision` bits behind the point.

    Time is proportional to the number of primes, which the levels decide, and hardly depends on the ring: the
    work of a batch doubles with N as its samples do. So the smallest ring is chosen in which some scale gives
    the precision (memory and latency of a batch are the least there), and in it the least such scale, which
    makes the shortest messages. The precision is that of the predicted bound (noise and rounded weights) on
    samples (count, features); without samples the scale is 2^40. ValueError if no parameters carry it.
    """
    if samples is None:
        return _plan(blocks, features, WITHOUT_SAMPLES_BITS, MAX_BITS, security)
    rows = samples[:MOST_SAMPLES]
    expected = clear(blocks, rows)
    score_bits = math.ceil(math.log2(SCORE_ROOM * (1 + float(np.abs(expected).max()))))
    low, high = SCALE_BITS_RANGE
    high = min(high, MAX_BITS - 1 - score_bits)
    if high < low:
        raise ValueError(
            f"the samples' scores reach 2^{score_bits - 2}, expected less than 2^{MAX_BITS - 3 - low}: "
            "scale the last layer down"
        )
    best = _attempt(blocks, features, high, score_bits, security, rows, expected, precision)
    if best is None:
        raise ValueError(
            f"{precision} bits of precision asked for, more than scales of up to 2^{high} give: ask for less"
        )
    while low < high:
        bits = (low + high) // 2
        plan = _attempt(blocks, features, bits, score_bits, security, rows, expected, precision)
        if plan is None:
            low = bits + 1
        else:
            best, high = plan, bits
    return best


def predicted(
    plan: ThroughputPlan,
    encoded: run.Encoded,
    rows: NDArray[np.float64],
    rng: np.random.Generator | None = None,
) -> tuple[NDArray[np.float64], float]:
    """(scores, bound on any one's noise) by the plan's own steps, the noise added if there is a generator."""
    engine = ClearEvaluator(plan.params, rng)
    table = np.ascontiguousarray(rows.T)
    scores = run.run(
        plan, encoded, engine, lambda i: engine.encrypt(table[i], plan.input_level, plan.input_scale)
    )
    return np.stack([x.values for x in scores], axis=1), max(x.bound for x in scores)


def _attempt(
    blocks: Sequence[Block],
    features: int,
    bits: int,
    score_bits: int,
    security: int,
    rows: NDArray[np.float64],
    expected: NDArray[np.float64],
    precision: int,
) -> ThroughputPlan | None:
    """The plan at this scale, None if its error is too large."""
    plan = _plan(blocks, features, bits, bits + 1 + score_bits, security)
    scores, bound = predicted(plan, run.encode(plan, blocks), rows)
    error = bound + float(np.abs(scores - expected).max())
    return plan if error <= 2.0**-precision else None


def _plan(
    blocks: Sequence[Block], features: int, bits: int, first_bits: int, security: int
) -> ThroughputPlan:
    shapes = shapes_of(blocks)
    spec: CkksSpec = smallest_spec(depth(shapes), scale_bits=bits, first_bits=first_bits, security=security)
    return ThroughputPlan.make(spec, features, shapes)
