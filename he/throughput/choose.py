"""The parameters for a throughput plan: the smallest ring and scale that keep a precision on samples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from he import scales
from he.ckks.params import CkksSpec
from he.ckks.primes import MAX_BITS
from he.ckks.smallest import smallest_spec
from he.engines.clear import ClearEvaluator
from he.model.blocks import Block, clear
from he.model.convolution import Shape
from he.throughput import run
from he.throughput.plan import ThroughputPlan, depth, shapes_of

MOST_SAMPLES = 64  # that the precision is predicted on


@dataclass(frozen=True, eq=False)
class Planner:
    """Plans of one network. shape: of one sample's input."""

    blocks: Sequence[Block]
    shape: Shape
    security: int = 128

    def with_spec(self, spec: CkksSpec) -> ThroughputPlan:
        """The plan in given parameters; ValueError if they have too few levels."""
        return ThroughputPlan.make(spec, math.prod(self.shape), shapes_of(self.blocks))

    def with_scale(self, bits: int, first_bits: int = MAX_BITS) -> ThroughputPlan:
        """The plan in the smallest secure ring with this scale; ValueError if there is none."""
        needed = depth(shapes_of(self.blocks))
        spec = smallest_spec(needed, scale_bits=bits, first_bits=first_bits, security=self.security)
        return self.with_spec(spec)

    def with_precision(self, samples: NDArray[np.float64], precision: float | None = None) -> ThroughputPlan:
        """The plan of least estimated time a sample whose scores keep `precision` bits behind the point.

        Time is proportional to the number of primes, which the levels decide, and hardly depends on the ring:
        the work of a batch doubles with N as its samples do. So the smallest ring is chosen in which some
        scale gives the precision (memory and latency of a batch are the least there), and in it the least
        such scale, which makes the shortest messages. The precision is that of the predicted bound (noise and
        rounded weights) on samples (count, features), by default `scales.usual_precision`. ValueError if no
        parameters carry it.
        """
        rows = samples[:MOST_SAMPLES]
        expected = clear(self.blocks, rows)

        asked = scales.usual_precision(clear(self.blocks, samples)) if precision is None else precision

        def attempt(bits: int, score_bits: int) -> tuple[ThroughputPlan, float]:
            plan = self.with_scale(bits, bits + 1 + score_bits)
            scores, bound = predicted(plan, run.encode(plan, self.blocks), rows)
            return plan, bound + float(np.abs(scores - expected).max())

        return scales.least(attempt, expected, asked)


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
