"""The parameters of a latency plan: the smallest ring and scale for a precision, in it the fewest digits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from he import scales
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.primes import MAX_BITS
from he.ckks.smallest import smallest_spec
from he.engines.clear import ClearEvaluator
from he.latency import run
from he.latency.arrange import Arrangement, arrange, bare
from he.latency.cost import Costs
from he.latency.plan import Plan, consumed
from he.model.blocks import Block, clear
from he.model.convolution import Shape

MOST_SAMPLES = 16  # that the precision is predicted on


@dataclass(eq=False)
class Planner:
    """Plans of one network. shape: of one sample's input. costs: of the machine that will compute."""

    blocks: Sequence[Block]
    shape: Shape
    security: int = 128
    costs: Costs = field(default_factory=Costs)
    _known: dict[int, Arrangement] = field(default_factory=dict)

    def with_spec(self, spec: CkksSpec) -> Plan:
        """The plan in given parameters; ValueError if they have too few levels."""
        params = CkksParams.from_spec(spec)
        if spec.log_n not in self._known:
            self._known[spec.log_n] = arrange(self.blocks, self.shape, params, self.costs)
        found = self._known[spec.log_n]
        return Plan.make(spec, found.width(params.slots), found.input_layout, found.shapes)

    def with_scale(self, bits: int, first_bits: int = MAX_BITS) -> Plan:
        """The plan in the smallest secure ring with this scale; ValueError if there is none."""
        depth = consumed(bare(self.blocks))[-1]
        spec = smallest_spec(depth, scale_bits=bits, first_bits=first_bits, security=self.security)
        return self.with_spec(spec)

    def with_precision(self, samples: NDArray[np.float64], precision: int) -> Plan:
        """The plan of the least scale, and so of the smallest ring and fewest digits, that keeps a precision.

        A smaller ring is faster, and in it the least scale is: it leaves most room for special primes.
        precision: bits behind the point of the scores of samples (count, features), by the predicted bound.
        """
        rows = samples[:MOST_SAMPLES]
        expected = clear(self.blocks, rows)

        def attempt(bits: int, first_bits: int) -> tuple[Plan, float]:
            plan = self.with_scale(bits, first_bits)
            scores, bound = predicted(plan, run.encode(plan, self.blocks, ClearEvaluator(plan.params)), rows)
            return plan, bound + float(np.abs(scores - expected).max())

        return scales.least(attempt, expected, precision)


def predicted(
    plan: Plan,
    encoded: Sequence[run.Encoded[Any, Any]],
    rows: NDArray[np.float64],
    rng: np.random.Generator | None = None,
) -> tuple[NDArray[np.float64], float]:
    """(scores, bound on any one's noise) of up to plan.samples samples (count, features), by the plan's own
    steps in the clear, the noise added if there is a generator.
    """
    engine, scores, bound = ClearEvaluator(plan.params, rng), list[NDArray[np.float64]](), 0.0
    for chunk in (rows[at : at + plan.samples] for at in range(0, len(rows), plan.samples)):
        x = [engine.encrypt(slots, plan.input_level, plan.params.scale) for slots in plan.spread(chunk)]
        out = run.run(plan, encoded, engine, x)
        scores.append(plan.gather([y.values for y in out], len(chunk)))
        bound = max(bound, *(y.bound for y in out))
    return np.concatenate(scores), bound
