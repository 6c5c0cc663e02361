"""What a plan's bytes may hold: numbers within bounds, checked before anything is derived from them."""

from typing import Any

from he.latency.layout import LARGEST_PLACE, Layout
from he.latency.transform import Rotations
from he.model.graph import INPUT

LARGEST_WIDTH = 1 << 16
LARGEST_BLOCKS = 1000
MOST_ROTATIONS = 1 << 14
MOST_PRODUCTS = 1 << 24
LARGEST_DEGREE = 1 << 10

Block = tuple[str, tuple[int, ...], int, bool, Layout, tuple[Rotations, ...]]


def parsed(width: object, source: object, blocks: object) -> tuple[int, Layout, list[Block]]:
    """(width, input layout, fields of each block's shape) from decoded JSON; ValueError on a misfit."""
    places = _number("width", width, 1, LARGEST_WIDTH)
    if places.bit_count() != 1:
        raise ValueError(f"width is {places}, expected a power of two")
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= LARGEST_BLOCKS:
        raise ValueError(f"the plan's blocks are {blocks!r:.200}, expected 1 to {LARGEST_BLOCKS}")
    return places, _layout(source), [_block(place, block, places) for place, block in enumerate(blocks)]


def _block(place: int, given: object, width: int) -> Block:
    name, sources, degree, square, target, transforms = _list("block", given, 6)
    if type(name) is not str or len(name) > 200:
        raise ValueError(f"the name of block {place} is {name!r:.200}, expected at most 200 letters")
    if type(square) is not bool:
        raise ValueError(f"square is {square!r:.50}, expected true or false")
    taken = tuple(_number("source", s, INPUT, place - 1) for s in _list("sources", sources))
    maps = tuple(_rotations(t, width) for t in _list("transforms", transforms, len(taken)))
    if not taken:
        raise ValueError(f"block {place} has no sources, expected at least one")
    least, most = (2, 2) if square else (1, LARGEST_DEGREE)
    return name, taken, _number("degree", degree, least, most), square, _layout(target), maps


def _layout(given: object) -> Layout:
    channels, rows, columns, block, row, column, gap, together, period = _list("layout", given, 9)
    down, across = (_number("gap", v, 1, LARGEST_PLACE) for v in _list("gap", gap, 2))
    made = Layout(
        _number("channels", channels, 1, LARGEST_PLACE),
        _number("rows", rows, 1, LARGEST_PLACE),
        _number("columns", columns, 1, LARGEST_PLACE),
        _number("block", block, 1, LARGEST_PLACE),
        _number("row", row, 1, LARGEST_PLACE),
        _number("column", column, 1, LARGEST_PLACE),
        (down, across),
        _number("together", together, 1, down * across),
        _number("period", period, 1, LARGEST_PLACE),
    )
    if made.period.bit_count() != 1:
        raise ValueError(f"period is {made.period}, expected a power of two")
    last = made.channels * made.block + made.rows * down * made.row + made.columns * across * made.column
    if made.features > LARGEST_PLACE or last > 4 * LARGEST_PLACE:
        raise ValueError(f"a layout of {made.features} features up to place {last}, expected fewer")
    return made


def _rotations(given: object, width: int) -> Rotations:
    step, fold, babies, giants, sums, products, pieces = _list("transform", given, 7)
    return Rotations(
        _number("step", step, 1, 2 * width),
        _number("fold", fold, 0, width),
        _places(babies, width),
        _places(giants, width),
        _places(sums, width),
        _number("products", products, 1, MOST_PRODUCTS),
        _number("pieces", pieces, 1, MOST_PRODUCTS),
    )


def _places(given: object, width: int) -> tuple[int, ...]:
    return tuple(_number("rotation", k, -2 * width, 2 * width) for k in _list("rotations", given))


def _list(name: str, given: object, length: int | None = None) -> list[Any]:
    if not isinstance(given, list) or len(given) > MOST_ROTATIONS or length not in (None, len(given)):
        raise ValueError(f"{name} is {given!r:.200}, expected a list{f' of {length}' if length else ''}")
    return given


def _number(name: str, given: object, least: int, most: int) -> int:
    if type(given) is not int or not least <= given <= most:
        raise ValueError(f"{name}: {given!r:.200} given, expected {least} to {most}")
    return given
