"""run(): one ciphertext through the steps of a plan, on any engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from he.engines.engine import Evaluator
from he.model import packing
from he.model.layers import Dense
from he.model.nonlinear import Square
from he.plan import Plan, Step

Cipher = TypeVar("Cipher")
Plain = TypeVar("Plain")
Linear = TypeVar("Linear")


@dataclass(frozen=True, eq=False)
class EncodedDense(Generic[Plain, Linear]):
    """The weights of a dense layer, encoded for its step."""

    linear: Linear
    bias: Plain


def encode(
    plan: Plan, layers: Sequence[Dense | Square], engine: Evaluator[Cipher, Plain, Linear]
) -> list[EncodedDense[Plain, Linear] | None]:
    """All weights, encoded once for any number of runs; None for a layer that has none."""
    return [
        _encode_dense(plan, step, layer, engine) if isinstance(layer, Dense) else None
        for step, layer in zip(plan.steps, layers, strict=True)
    ]


def run(
    plan: Plan,
    encoded: Sequence[EncodedDense[Plain, Linear] | None],
    engine: Evaluator[Cipher, Plain, Linear],
    x: Cipher,
) -> Cipher:
    """The scores' ciphertext for the input ciphertext x of the plan's input level and scale."""
    for step, weights in zip(plan.steps, encoded, strict=True):
        x = engine.multiply(x, x) if weights is None else _dense(step, weights, engine, x)
    return x


def _encode_dense(
    plan: Plan, step: Step, dense: Dense, engine: Evaluator[Cipher, Plain, Linear]
) -> EncodedDense[Plain, Linear]:
    """The weights' scale is such that product and rescaling together leave the step's out_scale exactly."""
    weights_scale = step.out_scale * plan.params.moduli[step.level] / step.scale
    diagonals = packing.diagonals(dense, step, plan)
    bias = packing.spread(dense.bias, plan)
    return EncodedDense(
        engine.encode_linear(diagonals, step.level, weights_scale),
        engine.encode(bias, step.level - 1, step.out_scale),
    )


def _dense(
    step: Step, weights: EncodedDense[Plain, Linear], engine: Evaluator[Cipher, Plain, Linear], x: Cipher
) -> Cipher:
    x = engine.linear(x, weights.linear)
    x = engine.fold(x, step.sums)  # after the rescaling: a rotation is cheaper one level down
    return engine.add_plain(x, weights.bias)
