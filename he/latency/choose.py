"""The parameters of a latency plan: the smallest ring and scale for a precision, in it the fewest digits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from he import scales
from he.ckks import noise
from he.ckks.params import LOG_N_RANGE, CkksParams, CkksSpec
from he.ckks.primes import MAX_BITS
from he.ckks.security import largest_log_qp
from he.ckks.smallest import smallest_spec
from he.engines.clear import ClearCipher, ClearEvaluator
from he.latency import run
from he.latency.arrange import Arrangement, arrange, bare
from he.latency.cost import Costs, forecast
from he.latency.plan import Plan, consumed, too_deep
from he.latency.trade import Splits, all_splits, traded
from he.model.blocks import Block, clear
from he.model.convolution import Shape

MOST_SAMPLES = 4  # that the precision is predicted on: those of the largest scores


@dataclass(eq=False)
class Planner:
    """Plans of one network. shape: of one sample's input. costs: of the machine that will compute.

    keys_bytes: so many bytes of evaluation keys at most, or as few as can be, at the price of time.
    """

    blocks: Sequence[Block]
    shape: Shape
    security: int = 128
    costs: Costs = field(default_factory=Costs)
    keys_bytes: float = math.inf
    _known: dict[int, Arrangement] = field(default_factory=dict)
    _splits: dict[int, Splits] = field(default_factory=dict)

    def with_spec(self, spec: CkksSpec, last_bits: int | None = None) -> Plan:
        """The plan in given parameters; ValueError if they have too few levels.

        last_bits: log2 of the scale of the scores, by default the scale's.
        """
        params = CkksParams.from_spec(spec)
        if spec.log_n not in self._known:
            self._known[spec.log_n] = arrange(self.blocks, self.shape, params, self.costs)
        found = self._known[spec.log_n]
        plan = Plan.make(spec, found.width(params.slots), found.input_layout, found.shapes, last_bits)
        plan = forecast(plan, self.costs)
        return plan if plan.evaluation_key_bytes <= self.keys_bytes else self._smaller(plan)

    def with_trade(self, plan: Plan) -> Plan:
        """The plan that knows what fewer keys would cost."""
        others = traded(plan, self._splits_of(plan), self.costs)[1:]
        return replace(plan, trade=tuple((p.evaluation_key_bytes, p.total_ms) for p in others))

    def _smaller(self, plan: Plan) -> Plan:
        """The fastest plan with few enough bytes of keys, or that with fewest."""
        others = traded(plan, self._splits_of(plan), self.costs)
        return next((p for p in others if p.evaluation_key_bytes <= self.keys_bytes), others[-1])

    def _splits_of(self, plan: Plan) -> Splits:
        log_n = plan.params.spec.log_n
        if log_n not in self._splits:
            self._splits[log_n] = all_splits(plan, self.blocks)
        return self._splits[log_n]

    def with_scale(self, bits: int, first_bits: int = MAX_BITS) -> Plan:
        """The plan in the smallest secure ring with this scale; ValueError if there is none."""
        return self.with_spec(self._smallest(bits, first_bits))

    def with_precision(self, samples: NDArray[np.float64], precision: float | None = None) -> Plan:
        """The plan of the least scale, and so of the smallest ring and fewest digits, that keeps a precision.

        A smaller ring is faster, and in it the least scale is: it leaves most room for special primes. The
        scores come out at a smaller scale than the rest where that suffices, so that q_0 is small.
        precision: bits behind the point of the scores of samples (count, features), by the predicted bound;
        by default `scales.usual_precision`.
        """
        scores = clear(self.blocks, samples)
        asked = scales.usual_precision(scores) if precision is None else precision
        rows = samples[np.argsort(-np.abs(scores).max(axis=1))[:MOST_SAMPLES]]
        expected = clear(self.blocks, rows)

        def attempt(bits: int, score_bits: int) -> tuple[Plan, float]:
            for plan in self._with_scores(bits, score_bits, asked):
                encoded = run.encode(plan, self.blocks, ClearEvaluator(plan.params))
                got, bound = predicted(plan, encoded, rows)
                error = bound + float(np.abs(got - expected).max())
                if error <= 2.0**-asked:
                    break
            return plan, error

        return self._with_forecasts(scales.least(attempt, expected, asked), rows)

    def _with_forecasts(self, plan: Plan, rows: NDArray[np.float64]) -> Plan:
        """The plan with what is foretold of its blocks: the precision of the first samples' values."""
        engine, deviations = ClearEvaluator(plan.params), list[float]()

        def watch(values: Sequence[ClearCipher]) -> None:
            deviations.append(max(float(np.max(x.deviation)) for x in values))

        x = [
            engine.encrypt(s, plan.input_level, plan.params.scale) for s in plan.spread(rows[: plan.samples])
        ]
        run.run(plan, run.encode(plan, self.blocks, engine), engine, x, watch)
        bits = map(noise.bits, deviations)
        return replace(
            plan, forecasts=tuple(f._replace(precision=b) for f, b in zip(plan.forecasts, bits, strict=True))
        )

    def _with_scores(self, bits: int, score_bits: int, precision: float) -> Iterator[Plan]:
        """Plans of this scale for scores below 2^score_bits: with the least scale of the scores, and so the
        smallest q_0, whose rounding leaves the precision; with that of the rest.
        """
        usual = self._smallest(bits, bits + 1 + score_bits)
        last = max(1, scales.last_scale_bits(1 << (usual.log_n - 1), precision))
        if last < bits and self.blocks[-1].activation is None:
            yield self.with_spec(self._smallest(bits, max(last + score_bits, bits) + 1), last)
        yield self.with_spec(usual)

    def _smallest(self, bits: int, first_bits: int) -> CkksSpec:
        shapes = bare(self.blocks)
        depth, room = consumed(shapes)[-1], largest_log_qp(LOG_N_RANGE[1], self.security)
        if depth > (most := (room - 2 * first_bits) // bits):
            raise ValueError(
                f"{too_deep(shapes, most)} (with scales of {bits} bits in the largest ring, N = "
                f"2^{LOG_N_RANGE[1]})"
            )
        return smallest_spec(depth, scale_bits=bits, first_bits=first_bits, security=self.security)


def predicted(
    plan: Plan,
    encoded: Sequence[run.Encoded[Any, Any]],
    rows: NDArray[np.float64],
    rng: np.random.Generator | None = None,
) -> tuple[NDArray[np.float64], float]:
    """(scores, bound on any one's noise) of up to plan.samples samples (count, features), by the plan's own
    steps in the clear, the noise added if there is a generator.
    """
    engine, scores, most = ClearEvaluator(plan.params, rng), list[NDArray[np.float64]](), 0.0
    for chunk in (rows[at : at + plan.samples] for at in range(0, len(rows), plan.samples)):
        x = [engine.encrypt(slots, plan.input_level, plan.params.scale) for slots in plan.spread(chunk)]
        out = run.run(plan, encoded, engine, x)
        scores.append(plan.gather([y.values for y in out], len(chunk)))
        deviations = [np.broadcast_to(y.deviation, y.values.shape) for y in out]
        most = max(most, float(plan.gather(deviations, len(chunk)).max()))
    return np.concatenate(scores), noise.TAIL * most
