"""What the two layouts have in common: samples to slots and back, weights made ready, a batch computed.

`he.latency` keeps a sample in as few ciphertexts as it fits into, `he.throughput` one feature of thousands of
samples in each. A client, a server and a model go through these functions and know neither.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from he.ckks import frame
from he.engines.clear import ClearEvaluator
from he.engines.cuda import CudaEvaluator
from he.engines.engine import Evaluator
from he.latency import choose as latency
from he.latency import run
from he.latency.arrange import activation
from he.latency.plan import LARGEST_PLAN_BYTES, Plan
from he.model.blocks import Block
from he.throughput import choose
from he.throughput import run as batches
from he.throughput.plan import ThroughputPlan, shapes_of

AnyPlan: TypeAlias = Plan | ThroughputPlan
Weights: TypeAlias = tuple[Block, ...]
Slots: TypeAlias = NDArray[np.float64]

COUNT_BYTES = 8  # before the ciphertexts of a message: how many samples are in them


def plan_from_bytes(data: bytes, *, insecure: bool = False) -> AnyPlan:
    """A plan of either layout from `to_bytes`, derived and checked anew; ValueError if it is none."""
    if len(data) > LARGEST_PLAN_BYTES:
        raise ValueError(f"{len(data)} bytes given, expected a plan of at most {LARGEST_PLAN_BYTES}")
    content = frame.from_json(frame.unseal(data, frame.Kind.PLAN, "", bytes(16)))
    if isinstance(content, dict) and content.get("layout") == "throughput":
        return ThroughputPlan.from_content(content, insecure=insecure)
    return Plan.from_content(content, insecure=insecure)


@dataclass(frozen=True)
class Sizes:
    """What travels with the engine native, in bytes: evaluation keys once, then for each batch of `samples`
    samples a request and a response.
    """

    samples: int
    evaluation_keys_bytes: int
    request_bytes: int
    response_bytes: int

    def __str__(self) -> str:
        mb = (self.evaluation_keys_bytes / 1e6, self.request_bytes / 1e6, self.response_bytes / 1e6)
        return "evaluation keys {:.2f} MB, {} samples: input {:.2f} MB, scores {:.2f} MB".format(
            mb[0], self.samples, *mb[1:]
        )


def sizes(plan: AnyPlan) -> Sizes:
    """Known from the plan alone, before any key is made."""
    framing = frame.OVERHEAD_BYTES + COUNT_BYTES
    return Sizes(
        plan.samples,
        frame.OVERHEAD_BYTES + plan.evaluation_key_bytes,
        framing + plan.request_bytes,
        framing + plan.response_bytes,
    )


def expect_fit(plan: AnyPlan, weights: object) -> None:
    """ValueError unless the weights are those of a network of this plan's shapes."""
    if not isinstance(weights, tuple) or not all(isinstance(block, Block) for block in weights):
        raise ValueError(f"weights are {weights!r:.100}, expected blocks")
    expected: object = plan.shapes
    given: object = shapes_of(weights)
    if isinstance(plan, Plan):
        expected = [(s.name, s.sources, s.degree, s.square, s.layout.features) for s in plan.shapes]
        given = [(b.name, b.sources, *activation(b), b.matrix.shape[0]) for b in weights]
    if given != expected:
        raise ValueError(f"weights of shapes {given!r:.200} given, expected {expected!r:.200}")


def ciphertexts(plan: AnyPlan, kind: frame.Kind) -> int:
    """How many ciphertexts `plan.samples` samples take in a request or a response."""
    if isinstance(plan, Plan):
        layout = plan.input_layout if kind == frame.Kind.REQUEST else plan.shapes[-1].layout
        return layout.ciphertexts(plan.width)
    return plan.features if kind == frame.Kind.REQUEST else plan.outputs


def output(plan: AnyPlan) -> tuple[int, float]:
    """Level and scale of the scores."""
    return plan.steps[-1].out_level, plan.steps[-1].out_scale


def spread(rows: NDArray[np.float64], plan: AnyPlan) -> Sequence[Slots]:
    """Up to plan.samples samples (count, features) as the slots of their ciphertexts."""
    return list(plan.spread(rows))


def gather(slots: Sequence[Slots], count: int, plan: AnyPlan) -> NDArray[np.float64]:
    """The scores (count, outputs) in the slots of the ciphertexts of a response."""
    return plan.gather(slots, count)


class Program:
    """Weights encoded for an engine's evaluator, for any number of runs, in several threads at once."""

    def __init__(self, plan: AnyPlan, weights: Weights, engine: Evaluator[Any, Any, Any]) -> None:
        self._plan, self._engine = plan, engine
        self._encoded: Any = _encode(plan, weights, engine)
        self._latency: Any = engine.repeated(self._run) if isinstance(engine, CudaEvaluator) else self._run

    def __call__(self, load: Callable[[int], Any]) -> list[Any]:
        """The ciphertexts of the scores; load(i): the i-th ciphertext of the input, asked for once."""
        if isinstance(self._plan, Plan):
            x = [load(i) for i in range(ciphertexts(self._plan, frame.Kind.REQUEST))]
            return list(self._latency(x))
        return batches.run(self._plan, self._encoded, self._engine, load)

    def _run(self, x: Sequence[Any]) -> list[Any]:
        """One input of a latency plan: the same launches every time, which a GPU keeps as a graph."""
        assert isinstance(self._plan, Plan)
        return run.run(self._plan, self._encoded, self._engine, x)


def clear(
    plan: AnyPlan, weights: Weights, rows: NDArray[np.float64], rng: np.random.Generator | None
) -> tuple[NDArray[np.float64], float]:
    """(scores, bound of their noise) of samples by the plan's steps, with the noise for a generator."""
    encoded = _encode(plan, weights, ClearEvaluator(plan.params, rng))
    scores, bound = [], 0.0
    for chunk in (rows[at : at + plan.samples] for at in range(0, len(rows), plan.samples)):
        if isinstance(plan, Plan):
            part, most = latency.predicted(plan, encoded, chunk, rng)
        else:
            part, most = choose.predicted(plan, encoded, chunk, rng)
        scores.append(part)
        bound = max(bound, most)
    return np.concatenate(scores), bound


def _encode(plan: AnyPlan, weights: Any, engine: Evaluator[Any, Any, Any]) -> Any:
    return run.encode(plan, weights, engine) if isinstance(plan, Plan) else batches.encode(plan, weights)
