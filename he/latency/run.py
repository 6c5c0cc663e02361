"""A latency plan on any engine: weights are encoded once, then inputs go through the blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from he.ckks.linear import Diagonals
from he.engines.engine import Evaluator
from he.latency.layout import Layout, spread
from he.latency.plan import Plan, Step
from he.latency.transform import Entries, Rotations
from he.model.blocks import Block
from he.model.graph import INPUT
from he.model.nonlinear import Polynomial

Cipher = TypeVar("Cipher")
Plain = TypeVar("Plain")
Linear = TypeVar("Linear")


@dataclass(frozen=True, eq=False)
class Encoded(Generic[Plain, Linear]):
    """A block's weights. pieces: for each source (target, source, matrix) of ciphertexts; sums: rotations
    that add up what a source gives, in slots; bias of each target; coefficients: of a polynomial, if any.
    """

    pieces: list[list[tuple[int, int, Linear]]]
    sums: dict[int, list[int]]
    bias: list[Plain]
    coefficients: tuple[float, ...]


def encode(
    plan: Plan, blocks: Sequence[Block], engine: Evaluator[Cipher, Plain, Linear]
) -> list[Encoded[Plain, Linear]]:
    """All weights, encoded for any number of runs; ValueError if they are not those of the plan."""
    scales, layouts = {INPUT: plan.params.scale}, {INPUT: plan.input_layout}
    out = []
    for place, (step, block) in enumerate(zip(plan.steps, blocks, strict=True)):
        scales[place], layouts[place] = step.out_scale, step.shape.layout
        out.append(_encode(plan, step, normalised(block), scales, layouts, engine))
    return out


def normalised(block: Block) -> Block:
    """The block with sums that its polynomial takes on [-1, 1], where Chebyshev's polynomials live."""
    if not isinstance(block.activation, Polynomial):
        return block
    a, b = block.activation.interval
    factor, offset = 2 / (b - a), -(a + b) / (b - a)
    activation = Polynomial(block.activation.coefficients, (-1.0, 1.0), block.activation.approximates)
    return Block(
        block.name,
        block.sources,
        block.matrix * factor,
        block.bias * factor + offset,
        activation,
        block.shape,
    )


def run(
    plan: Plan,
    encoded: Sequence[Encoded[Plain, Linear]],
    engine: Evaluator[Cipher, Plain, Linear],
    x: Sequence[Cipher],
    watch: Callable[[list[Cipher]], None] | None = None,
) -> list[Cipher]:
    """The scores' ciphertexts for those of the input. watch: is given the ciphertexts of each block."""
    values = {INPUT: list(x)}
    for place, (step, weights) in enumerate(zip(plan.steps, encoded, strict=True)):
        sums = _sums(step, weights, engine, values)
        values[place] = [_activated(step, weights, engine, y) for y in sums]
        if watch is not None:
            watch(values[place])
    return values[len(plan.steps) - 1]


def _sums(
    step: Step,
    weights: Encoded[Plain, Linear],
    engine: Evaluator[Cipher, Plain, Linear],
    values: dict[int, list[Cipher]],
) -> list[Cipher]:
    totals: dict[int, Cipher] = {}
    for source, pieces in zip(step.shape.sources, weights.pieces, strict=True):
        parts: dict[int, Cipher] = {}
        for target, origin, matrix in pieces:
            x = engine.linear(engine.drop(values[source][origin], step.level), matrix)
            parts[target] = engine.add(parts[target], x) if target in parts else x
        for target, x in parts.items():
            x = engine.fold(x, weights.sums[source])
            totals[target] = engine.add(totals[target], x) if target in totals else x
    return [engine.add_plain(totals[target], bias) for target, bias in enumerate(weights.bias)]


def _activated(
    step: Step, weights: Encoded[Plain, Linear], engine: Evaluator[Cipher, Plain, Linear], x: Cipher
) -> Cipher:
    if weights.coefficients:
        return engine.polynomial(x, weights.coefficients)
    return engine.multiply(x, x) if step.shape.square else x


def _encode(
    plan: Plan,
    step: Step,
    block: Block,
    scales: dict[int, float],
    layouts: dict[int, Layout],
    engine: Evaluator[Cipher, Plain, Linear],
) -> Encoded[Plain, Linear]:
    """The weights' scale is such that product and rescaling together leave the step's sum_scale exactly."""
    product_scale = step.sum_scale * plan.params.moduli[step.level]
    pieces, sums, first = [], {}, 0
    for source, transform in zip(step.shape.sources, step.shape.transforms, strict=True):
        part = block.matrix[:, first : first + layouts[source].features]
        first += layouts[source].features
        entries = Entries.of(part, layouts[source], step.shape.layout, plan.width, transform.fold)
        encoded = []
        for target, origin, diagonals in entries.diagonals(transform.step, plan.width, plan.samples):
            _expect_planned(diagonals, transform, plan, block.name)
            matrix = engine.encode_linear(diagonals, step.level, product_scale / scales[source])
            encoded.append((target, origin, matrix))
        pieces.append(encoded)
        sums[source] = [k * plan.samples for k in transform.sums]
    bias = spread(np.tile(block.bias, (plan.samples, 1)), step.shape.layout, plan.width, plan.samples)
    plain = [engine.encode(slots, step.level - 1, step.sum_scale) for slots in bias]
    polynomial = block.activation if isinstance(block.activation, Polynomial) else None
    return Encoded(pieces, sums, plain, () if polynomial is None else tuple(polynomial.coefficients.tolist()))


def _expect_planned(diagonals: Diagonals, transform: Rotations, plan: Plan, name: str) -> None:
    """No rotation that the plan, and so the client's keys, does not have."""
    planned = {k * plan.samples for k in (0, *transform.babies, *transform.giants)}
    needed = {*diagonals.rows, *diagonals.baby_steps}
    if not needed <= planned:
        raise ValueError(
            f"the weights of {name} need rotations {sorted(needed - planned)[:5]}, expected those of the plan"
        )
