"""Layouts and rotations of least estimated time for the blocks of a network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from he.ckks.params import CkksParams
from he.latency import transform
from he.latency.cost import Costs, LevelCosts, activation_ms, map_ms
from he.latency.layout import Layout, power_of_two
from he.latency.plan import Shape, activation_levels, consumed
from he.latency.transform import Entries, Rotations
from he.model.blocks import Block
from he.model.convolution import Shape as TensorShape
from he.model.graph import INPUT
from he.model.nonlinear import Square

LARGEST_STRIDE = 4
BEAM = 4
"""Arrangements that are followed from one block to the next."""


@dataclass(frozen=True)
class Arrangement:
    """Layouts of the input and of the blocks so far, and what they cost in milliseconds."""

    input_layout: Layout
    shapes: tuple[Shape, ...] = ()
    cost_ms: float = 0.0

    def layout(self, source: int) -> Layout:
        """Where the value of a source lies."""
        return self.input_layout if source == INPUT else self.shapes[source].layout

    def width(self, slots: int) -> int:
        """Places that one sample takes in a ciphertext."""
        layouts = [self.input_layout, *(shape.layout for shape in self.shapes)]
        return min(slots, max(layout.period for layout in layouts))


def arrange(blocks: Sequence[Block], shape: TensorShape, params: CkksParams, costs: Costs) -> Arrangement:
    """The layouts of least estimated cost, by a search that follows the best few from block to block.

    shape: of one sample's input.
    """
    levels = _levels(blocks)
    beam = [Arrangement(layout) for layout in _inputs(shape, params.slots)]
    for block, bare_shape, level in zip(blocks, bare(blocks), levels, strict=True):
        prices = LevelCosts.of(params, level, costs)
        activated = activation_ms(bare_shape, params, level - 1, costs)
        following = (
            more for known in beam for more in _longer(known, block, params.slots, prices, activated)
        )
        beam = sorted(following, key=lambda a: a.cost_ms)[:BEAM]
    return beam[0]


def activation(block: Block) -> tuple[int, bool]:
    """(degree, whether it is a square) of a block's activation."""
    if block.activation is None:
        return 1, False
    if isinstance(block.activation, Square):
        return 2, True
    return block.activation.degree, False


def bare(blocks: Sequence[Block]) -> tuple[Shape, ...]:
    """Shapes without layouts: enough to count levels."""
    nowhere = Layout.vector(1, 1)
    return tuple(Shape(b.name, b.sources, *activation(b), nowhere, ()) for b in blocks)


def _levels(blocks: Sequence[Block]) -> list[int]:
    """The level at which each block's sums are taken."""
    shapes = bare(blocks)
    used = consumed(shapes)
    return [used[-1] - u + 1 + activation_levels(s) for u, s in zip(used, shapes, strict=True)]


def _inputs(shape: TensorShape, slots: int) -> Iterator[Layout]:
    """Vectors one entry after another; images with rows as they are, and of a power of two."""
    if len(shape) != 3 or shape[1] * shape[2] == 1:
        entries = int(np.prod(shape))
        yield Layout.vector(entries, min(slots, power_of_two(entries)))
        return
    for row in sorted({shape[2], power_of_two(shape[2])}):
        layout = Layout.image(shape, row)
        yield layout._replace(period=min(slots, layout.period))


def _longer(
    known: Arrangement, block: Block, slots: int, prices: LevelCosts, activated: float
) -> Iterator[Arrangement]:
    """The arrangement with one more block, for each layout that it may have. activated: milliseconds that the
    activation of a ciphertext takes.
    """
    sources = [known.layout(s) for s in block.sources]
    degree, square = activation(block)
    for target, folded in _targets(block, sources, slots):
        maps, cost_ms = [], activated * target.ciphertexts(slots)
        for part, source in zip(parts(block, sources), sources, strict=True):
            found, price = _rotations(part, source, target, slots, target.period if folded else 0, prices)
            maps.append(found)
            cost_ms += price
        shape = Shape(block.name, block.sources, degree, square, target, tuple(maps))
        yield replace(known, shapes=(*known.shapes, shape), cost_ms=known.cost_ms + cost_ms)


def parts(block: Block, sources: Sequence[Layout]) -> Iterator[object]:
    """The columns of the block's matrix that belong to each source."""
    first = 0
    for source in sources:
        yield block.matrix[:, first : first + source.features]
        first += source.features


def _targets(block: Block, sources: Sequence[Layout], slots: int) -> Iterator[tuple[Layout, bool]]:
    """(layout, whether sums are folded into it)."""
    entries, longest = block.matrix.shape[0], max(source.period for source in sources)
    least = power_of_two(entries)
    single = all(source.ciphertexts(slots) == 1 for source in sources)
    if single and least < min(source.period for source in sources):
        yield Layout.vector(entries, least), True
    yield Layout.vector(entries, min(slots, max(least, longest))), False
    source = max(sources, key=lambda s: s.rows * s.columns)
    if len(block.shape) != 3 or source.rows * source.columns == 1:
        return
    for step in range(1, LARGEST_STRIDE + 1):
        for packed in (False, True):
            target = source.strided(block.shape, step, packed, slots)
            if _apart(target) and (not packed or target.together > 1):
                yield target._replace(period=min(slots, max(target.period, longest))), False


def _apart(layout: Layout) -> bool:
    """Whether the features have different places: rows do not run into one another."""
    return layout.rows == 1 or layout.columns * layout.gap[1] * layout.column <= layout.row


def _rotations(
    matrix: object, source: Layout, target: Layout, slots: int, fold: int, prices: LevelCosts
) -> tuple[Rotations, float]:
    """The baby steps and giant steps of least cost, and that cost in milliseconds."""
    sources = source.ciphertexts(slots)
    found = [(map_ms(r, sources, prices), r) for r in splits(matrix, source, target, slots, fold)]
    price, least = min(found, key=lambda pair: pair[0])
    return least, price


def splits(matrix: object, source: Layout, target: Layout, slots: int, fold: int) -> Iterator[Rotations]:
    """Every way to split the rotations between two layouts into baby steps and giant steps."""
    entries = Entries.of(matrix, source, target, slots, fold)
    offsets, products, pieces = entries.offsets, entries.products, len(np.unique(entries.pair))
    sums = transform.sums(source, fold)
    for step in _steps(offsets, source):
        babies = np.unique(offsets % step).tolist()
        giants = np.unique(offsets - offsets % step).tolist()
        yield Rotations(step, fold, tuple(babies), tuple(giants), sums, products, pieces)


def _steps(offsets: NDArray[np.int64], source: Layout) -> list[int]:
    """Powers of two, and multiples of the distance of rows, up to the spread of the offsets."""
    spread = int(offsets.max() - offsets.min()) + 1
    powers = [1 << i for i in range(spread.bit_length() + 1)]
    rows = [source.row * source.gap[0] * i for i in (1, 2, 3, 4)]
    return sorted({step for step in (*powers, *rows) if step <= 2 * spread})
