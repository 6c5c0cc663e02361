"""The parameters for a throughput plan: the smallest ring and scale that keep a precision on samples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from he import scales
from he.ckks.params import CkksSpec
from he.ckks.smallest import smallest_spec
from he.engines.clear import ClearEvaluator
from he.model.blocks import Block, clear
from he.throughput import run
from he.throughput.plan import ThroughputPlan, depth, shapes_of

PRECISION_BITS = 12
MOST_SAMPLES = 64  # that the precision is predicted on


def choose(
    blocks: Sequence[Block],
    features: int,
    samples: NDArray[np.float64],
    *,
    security: int,
    precision: int = PRECISION_BITS,
) -> ThroughputPlan:
    """The plan of least estimated time a sample whose scores keep `precision` bits behind the point.

    Time is proportional to the number of primes, which the levels decide, and hardly depends on the ring: the
    work of a batch doubles with N as its samples do. So the smallest ring is chosen in which some scale gives
    the precision (memory and latency of a batch are the least there), and in it the least such scale, which
    makes the shortest messages. The precision is that of the predicted bound (noise and rounded weights) on
    samples (count, features). ValueError if no parameters carry it.
    """
    rows = samples[:MOST_SAMPLES]
    expected = clear(blocks, rows)

    def attempt(bits: int, first_bits: int) -> tuple[ThroughputPlan, float]:
        plan = with_scale(blocks, features, bits, first_bits, security)
        scores, bound = predicted(plan, run.encode(plan, blocks), rows)
        return plan, bound + float(np.abs(scores - expected).max())

    return scales.least(attempt, expected, precision)


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


def with_scale(
    blocks: Sequence[Block], features: int, bits: int, first_bits: int, security: int
) -> ThroughputPlan:
    """The plan in the smallest secure ring with this scale; ValueError if there is none."""
    shapes = shapes_of(blocks)
    spec: CkksSpec = smallest_spec(depth(shapes), scale_bits=bits, first_bits=first_bits, security=security)
    return ThroughputPlan.make(spec, features, shapes)
