"""A throughput plan on any engine: weights become integers once, then batches go through the blocks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from he.engines.cuda import CudaEvaluator
from he.engines.engine import Evaluator
from he.kernels import IntegerMatrix, alike_rows
from he.model.blocks import Block
from he.model.graph import INPUT
from he.model.nonlinear import Polynomial
from he.progress import progress
from he.throughput.plan import Step, ThroughputPlan

Cipher = TypeVar("Cipher")

PART_BYTES = 64 << 20
"""Sums that are made together, before their rescaling: what the memory of a run exceeds its values by."""
LARGEST_WEIGHT = 1 << 53  # an integer up to here is a float64, and what every engine takes


@dataclass(frozen=True, eq=False)
class Part:
    """Some of a block's rows: outputs `rows` are matrix times the features `columns` of its sources.

    last: those of the columns that no later part of the block takes. coefficients: of the polynomial of these
    sums, mapped to [-1, 1], in the Chebyshev basis; () for none.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    last: frozenset[int]
    matrix: IntegerMatrix
    bias: NDArray[np.float64]
    coefficients: tuple[float, ...]


Encoded = list[list[Part]]


def encode(plan: ThroughputPlan, blocks: Sequence[Block]) -> Encoded:
    """The weights as integers, block by block; ValueError if one is too large."""
    return [list(_parts(plan, step, block)) for step, block in zip(plan.steps, blocks, strict=True)]


def run(
    plan: ThroughputPlan,
    encoded: Encoded,
    engine: Evaluator[Cipher, Any, Any],
    feature: Callable[[int], Cipher],
) -> list[Cipher]:
    """The scores' ciphertexts. feature(i): the ciphertext of feature i, asked for once, when it is needed.

    What nobody needs any more is forgotten at once, so that memory stays below the plan's `memory_bytes` and
    PART_BYTES.
    """
    values: dict[int, list[Cipher | None]] = {INPUT: [None] * plan.features}
    with progress("encrypted batch", sum(map(len, encoded))) as tick:
        for place, (step, parts) in enumerate(zip(plan.steps, encoded, strict=True)):
            later = {s for shape in plan.shapes[place + 1 :] for s in shape.sources}
            out: list[Cipher | None] = [None] * step.shape.outputs
            for part in parts:
                xs = _columns(values, step, part, engine, feature, later)
                for r, y in zip(part.rows.tolist(), _outputs(step, part, engine, xs), strict=True):
                    out[r] = y
                tick()
            values[place] = out
    return cast(list[Cipher], out)


def _columns(
    values: dict[int, list[Cipher | None]],
    step: Step,
    part: Part,
    engine: Evaluator[Cipher, Any, Any],
    feature: Callable[[int], Cipher],
    later: set[int],
) -> list[Cipher]:
    """The features that a part takes, at its level; those with no further use are forgotten."""
    sources = [(s, i) for s in step.shape.sources for i in range(len(values[s]))]
    xs = [engine.drop(_take(values, sources[c], feature), step.level) for c in part.columns]
    for c in part.last:
        s, i = sources[c]
        if s not in later:
            values[s][i] = None
    return xs


def _take(
    values: dict[int, list[Cipher | None]], place: tuple[int, int], feature: Callable[[int], Cipher]
) -> Cipher:
    source, i = place
    x = values[source][i]
    if x is None:
        assert source == INPUT  # no other value is forgotten before its last use
        x = values[source][i] = feature(i)
    return x


def _outputs(step: Step, part: Part, engine: Evaluator[Cipher, Any, Any], xs: list[Cipher]) -> list[Cipher]:
    sums = engine.affine(xs, part.matrix, part.bias, step.product_scale)
    xs.clear()
    if step.shape.activation == "square":
        return _squares(engine, sums)
    if step.shape.activation == "polynomial":
        return [engine.polynomial(y, part.coefficients) for y in sums]
    return sums


def _squares(engine: Evaluator[Cipher, Any, Any], xs: list[Cipher]) -> list[Cipher]:
    """Each x x; on a GPU many in a launch."""
    if isinstance(engine, CudaEvaluator):
        many: Any = xs
        return cast(list[Cipher], engine.multiply_each(many, many))
    return [engine.multiply(x, x) for x in xs]


def _mapped(block: Block) -> tuple[float, float, tuple[float, ...]]:
    """(factor, offset, coefficients): factor x + offset takes the polynomial's interval to [-1, 1]."""
    if not isinstance(block.activation, Polynomial):
        return 1.0, 0.0, ()
    a, b = block.activation.interval
    return 2 / (b - a), -(a + b) / (b - a), tuple(block.activation.coefficients.tolist())


def _parts(plan: ThroughputPlan, step: Step, block: Block) -> Iterator[Part]:
    """Rows with the same columns stay together."""
    scales = np.concatenate([np.full(*_width_and_scale(plan, s)) for s in block.sources])
    pointers = block.matrix.indptr.astype(np.int64)
    indices = block.matrix.indices.astype(np.int64)
    factor, offset, coefficients = _mapped(block)
    entries = np.rint(block.matrix.data * factor * (step.product_scale / scales[indices]))
    _check(block, entries)
    whole = entries.astype(np.int64)
    most = max(1, PART_BYTES // (16 * plan.params.n * (step.level + 1)))
    chunks = list(_chunks(alike_rows(pointers, indices), most))
    final = np.zeros(len(scales), dtype=np.int64)
    for place, rows in enumerate(chunks):
        for r in rows:
            final[indices[pointers[r] : pointers[r + 1]]] = place
    for place, rows in enumerate(chunks):
        spans = [np.arange(pointers[r], pointers[r + 1]) for r in rows]
        own = np.concatenate(spans)
        starts = np.concatenate([[0], np.cumsum([len(span) for span in spans])])
        columns, places = np.unique(indices[own], return_inverse=True)
        matrix = IntegerMatrix(starts, places, whole[own], len(columns))
        last = frozenset(columns[final[columns] == place].tolist())
        yield Part(rows, columns, last, matrix, factor * block.bias[rows] + offset, coefficients)


def _width_and_scale(plan: ThroughputPlan, source: int) -> tuple[int, float]:
    if source == INPUT:
        return plan.features, plan.input_scale
    return plan.shapes[source].outputs, plan.steps[source].out_scale


def _chunks(groups: Iterator[list[int]], most: int) -> Iterator[NDArray[np.int64]]:
    """Groups of rows one after another, as many together as fit into `most` rows, at least one."""
    rows: list[int] = []
    for group in groups:
        if rows and len(rows) + len(group) > most:
            yield np.array(rows)
            rows = []
        rows += group
    yield np.array(rows)


def _check(block: Block, entries: NDArray[np.float64]) -> None:
    largest = float(np.abs(entries).max())
    if not largest < LARGEST_WEIGHT:
        raise ValueError(
            f"a weight of {block.name} is {largest:.3g} as an integer, expected less than 2^53: scale it down"
        )
