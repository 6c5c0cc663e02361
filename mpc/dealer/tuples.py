"""What can be dealt: each kind of correlated randomness as parts drawn freely and parts derived from them.

A freely drawn part is shared among the parties: the sum (or exclusive or) of what each party draws from the
stream that it shares with the dealer. Of a derived part all parties but the first draw their share likewise,
and the first gets the correction that makes the shares add up. A common part, which a few kinds have, is not
shared: every party gets all of it. Nothing else travels.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgpack
import numpy as np
import torch

from mpc.kernels import named
from mpc.protocols import compare, compare_dcf, dcf, gate, harmonics, lookup
from mpc.protocols import product as layers
from mpc.protocols.bits import plane_words
from mpc.protocols.truncate import unsigned_quotient
from mpc.randomness import Stream, Zeros

# A request is refused above this many words in all its parts, 2 GiB.
MAX_WORDS = 1 << 28
PRODUCTS = ("mul", "matmul", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")
_OPTIONS = ("stride", "padding", "output_padding", "dilation", "groups", "period_bits", "count")
_LAYER_OPTIONS = ("stride", "padding", "dilation", "wanted")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """One tuple to deal: public shapes and names only.

    `kind` is "product" (c = op(a, b, **options) mod 2^64), "layer" (mpc.protocols.product.LayerMask; the
    option "wanted" says which of the two gradients), "square" (r, r^2), "and" (c = a & b, bitwise shares),
    "bit" (one random bit, shared bitwise and additively), "wraps" (r and how often its shares wrap),
    "truncation" (r, floor(r / divisor), top bit of r), "comparison" (mpc.protocols.compare.ComparisonMask,
    and with a divisor a QuotientMask), "dcf" (mpc.protocols.compare_dcf.SignKey; between two parties),
    "gate" (mpc.protocols.gate.GateMask, with a divisor QuotientGateMask), "table"
    (mpc.protocols.lookup.TableMask; option count) or "harmonics" (mpc.protocols.harmonics.HarmonicMask;
    options period_bits and count).
    """

    kind: str
    sizes: tuple[Shape, ...]
    op: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    divisor: int = 0

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads; equal requests give equal bytes."""
        packed: bytes = msgpack.packb([self.kind, self.sizes, self.op, self.options, self.divisor])
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """Raises ValueError on anything that is not a request this dealer serves."""
        try:
            kind, sizes, op, options, divisor = msgpack.unpackb(data, use_list=False)
            request = cls(kind, tuple(sizes), op, tuple(options), divisor)
            _check(request)
        except (ValueError, TypeError, ArithmeticError, RuntimeError, msgpack.UnpackException) as error:
            raise ValueError(
                f"not a request for correlated randomness ({len(data)} bytes): {error}"
            ) from error
        return request


class _Shape(NamedTuple):
    """A part's shape, whether its shares combine by exclusive or, and the bits of a freely drawn word."""

    size: Shape
    bitwise: bool = False
    bitlength: int = 64


@dataclass(frozen=True)
class _Kind:
    operands: int
    free: Callable[[Request], list[_Shape]]
    derived: Callable[[Request], list[_Shape]]
    # The derived parts, then the common ones, from the request, the freely drawn parts in the clear, and
    # every party's shares of them.
    derive: Callable[[Request, list[torch.Tensor], list[list[torch.Tensor]]], list[torch.Tensor]]
    common: Callable[[Request], tuple[Shape, ...]] = lambda request: ()


def draw_free(request: Request, stream: Stream | Zeros) -> list[torch.Tensor]:
    """One party's shares of the freely drawn parts."""
    return [stream.bits(part.size, part.bitlength) for part in _KINDS[request.kind].free(request)]


def draw_derived(request: Request, stream: Stream | Zeros) -> list[torch.Tensor]:
    """The shares of the derived parts of a party other than the first."""
    return [stream.words(size) for size in derived_sizes(request)]


@functools.lru_cache(maxsize=4096)
def derived_sizes(request: Request) -> tuple[Shape, ...]:
    """The shapes of the derived parts, worked out without any data."""
    return tuple(part.size for part in _KINDS[request.kind].derived(request))


@functools.lru_cache(maxsize=4096)
def sent_sizes(request: Request, first: bool) -> tuple[Shape, ...]:
    """The shapes of what the dealer sends: corrections and common parts to the first party, else these."""
    common = _KINDS[request.kind].common(request)
    return derived_sizes(request) + common if first else common


def corrections(request: Request, streams: Sequence[Stream]) -> list[torch.Tensor]:
    """What the first party is sent: its shares of the derived parts, then the common parts.

    Each other party is sent the common parts. Needs every party's stream, so only a dealer can tell. Raises
    ValueError for a kind that is for another number of parties.
    """
    kind = _KINDS[request.kind]
    shares = [draw_free(request, stream) for stream in streams]
    free = [
        _combine(parts, shape.bitwise)
        for shape, parts in zip(kind.free(request), zip(*shares, strict=True), strict=True)
    ]
    masks = [draw_derived(request, stream) for stream in streams[1:]]
    parts = kind.derive(request, free, shares)
    derived = kind.derived(request)
    own = [
        _remove(part, [mask[index] for mask in masks], shape.bitwise)
        for index, (shape, part) in enumerate(zip(derived, parts, strict=False))
    ]
    return own + parts[len(derived) :]


def _combine(parts: Sequence[torch.Tensor], bitwise: bool) -> torch.Tensor:
    return functools.reduce(operator.xor if bitwise else operator.add, parts)


def _remove(part: torch.Tensor, masks: Sequence[torch.Tensor], bitwise: bool) -> torch.Tensor:
    return functools.reduce(operator.xor if bitwise else operator.sub, masks, part)


def _product(request: Request, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return named(request.op)(a, b, **dict(request.options))


def _product_size(request: Request) -> Shape:
    """Only convolutions ask torch: its first answer to such a question takes a second of imports."""
    if request.op == "mul":
        return np.broadcast_shapes(*request.sizes)
    if request.op == "matmul":
        return _matmul_size(*request.sizes)
    a, b = (torch.empty(size, dtype=torch.float32, device="meta") for size in request.sizes)
    return tuple(_product(request, a, b).shape)


def _matmul_size(a: Shape, b: Shape) -> Shape:
    """As torch.matmul: a vector is a row on the left, a column on the right, which the result is without."""
    if not a or not b:
        raise ValueError(f"matrices or vectors were expected, got shapes {a} and {b}")
    rows, columns = a if len(a) > 1 else (1, *a), b if len(b) > 1 else (*b, 1)
    if rows[-1] != columns[-2]:
        raise ValueError(f"shapes {a} and {b} have no matrix product: {rows[-1]} columns, {columns[-2]} rows")
    outer = np.broadcast_shapes(rows[:-2], columns[:-2])
    return (*outer, *rows[-2:-1][: len(a) - 1], *columns[-1:][: len(b) - 1])


def _layer(request: Request) -> tuple[layers.Layer, tuple[bool, bool]]:
    options = dict(request.options)
    wanted = options.pop("wanted", None)
    if not isinstance(wanted, tuple) or tuple(map(type, wanted)) != (bool, bool):
        raise ValueError(f"which of the two gradients are wanted must be two truth values, got {wanted!r}")
    x, y = request.sizes
    return layers.layer(request.op, x, y, options), wanted


def _layer_value(request: Request) -> Shape:
    """The shape of the layer's result, which its gradient has as well."""
    options = tuple((name, value) for name, value in request.options if name != "wanted")
    return _product_size(Request("product", request.sizes, request.op, options))


def _layer_products(request: Request) -> list[_Shape]:
    _, wanted = _layer(request)
    gradients = [size for size, one in zip(request.sizes, wanted, strict=True) if one]
    return [_Shape(size) for size in (_layer_value(request), *gradients)]


def _derive_layer(request: Request, free: list[torch.Tensor]) -> list[torch.Tensor]:
    a, b, g = free
    layer, (left, right) = _layer(request)
    gradients = ([layer.left(g, b)] if left else []) + ([layer.right(a, g)] if right else [])
    return [layer.forward(a, b), *gradients]


def count_wraps(shares: Sequence[torch.Tensor]) -> torch.Tensor:
    """How often the running sum of int64 shares leaves the range, up counted +1 and down -1."""
    total, wraps = shares[0], torch.zeros_like(shares[0])
    for share in shares[1:]:
        following = total + share
        wraps += ((total > 0) & (share > 0) & (following < 0)).long()
        wraps -= ((total < 0) & (share < 0) & (following >= 0)).long()
        total = following
    return wraps


def _comparison_shapes(request: Request) -> list[_Shape]:
    bitwise = (False, True, True, False, False)
    sizes = compare.words_for(request.sizes[0][0])
    return [_Shape(size, own) for size, own in zip(sizes, bitwise, strict=True)]


def _comparison_derived(request: Request) -> list[_Shape]:
    quotient = [_Shape(request.sizes[0])] * len(compare.QuotientMask._fields) if request.divisor else []
    return _comparison_shapes(request)[2:] + quotient


def _derive_comparison(request: Request, free: list[torch.Tensor]) -> list[torch.Tensor]:
    r, masks = (part.numpy().view(np.uint64) for part in free)
    products, bit, masked = compare.derive(r, masks)
    quotient = compare.derive_quotient(r, bit, request.divisor) if request.divisor else ()
    return [torch.from_numpy(part.view(np.int64)) for part in (products, bit, masked, *quotient)]


def _dcf_free(request: Request) -> list[_Shape]:
    """r, a seed for each party of its own, and a cipher's key, which becomes a common part."""
    (count,) = request.sizes[0]
    return [_Shape((count,)), _Shape((2, count), bitwise=True), _Shape((2,), bitwise=True)]


def _derive_dcf(free: list[torch.Tensor], shares: list[list[torch.Tensor]]) -> list[torch.Tensor]:
    if len(shares) != 2:
        raise ValueError(f"a distributed comparison function is for 2 parties, got {len(shares)}")
    r, _, cipher = (part.numpy().view(np.uint64) for part in free)
    seeds = np.stack([own[1].numpy().view(np.uint64) for own in shares])
    offset, public = compare_dcf.derive(r, seeds, cipher)
    return [torch.from_numpy(part.view(np.int64)) for part in (offset, *public)]


def _rows_of_count(request: Request) -> list[_Shape]:
    return [_Shape((dict(request.options)["count"], *request.sizes[0]))] * 2


def _derive_harmonics(request: Request, r: torch.Tensor) -> list[torch.Tensor]:
    options = dict(request.options)
    parts = harmonics.derive(r.numpy().view(np.uint64), options["period_bits"], options["count"])
    return [torch.from_numpy(part.view(np.int64)) for part in parts]


def _gate_free(request: Request) -> list[_Shape]:
    (count,) = request.sizes[0]
    return [_Shape((count,)), _Shape((1, plane_words(count)), bitwise=True)]


def _gate_derived(request: Request) -> list[_Shape]:
    kind = gate.QuotientGateMask if request.divisor else gate.GateMask
    return [_Shape(request.sizes[0])] * (len(kind._fields) - 2)


def _derive_gate(request: Request, free: list[torch.Tensor]) -> list[torch.Tensor]:
    r, plane = (part.numpy().view(np.uint64) for part in free)
    parts = gate.derive(r, plane, request.divisor)
    return [torch.from_numpy(part.view(np.int64)) for part in parts]


def _derive_table(request: Request, r: torch.Tensor) -> list[torch.Tensor]:
    table = lookup.derive(r.numpy().view(np.uint64), dict(request.options)["count"])
    return [torch.from_numpy(table.view(np.int64))]


def _as_given(bitwise: bool = False, bitlength: int = 64) -> Callable[[Request], list[_Shape]]:
    return lambda request: [_Shape(size, bitwise, bitlength) for size in request.sizes]


_KINDS = {
    "product": _Kind(
        2,
        _as_given(),
        lambda request: [_Shape(_product_size(request))],
        lambda request, free, _: [_product(request, *free)],
    ),
    "layer": _Kind(
        2,
        lambda request: [_Shape(size) for size in (*request.sizes, _layer_value(request))],
        _layer_products,
        lambda request, free, _: _derive_layer(request, free),
    ),
    "square": _Kind(1, _as_given(), _as_given(), lambda request, free, _: [free[0] * free[0]]),
    "and": _Kind(
        2,
        _as_given(bitwise=True),
        lambda request: [_Shape(np.broadcast_shapes(*request.sizes), bitwise=True)],
        lambda request, free, _: [free[0] & free[1]],
    ),
    "bit": _Kind(1, _as_given(True, 1), _as_given(), lambda request, free, _: [free[0]]),
    "wraps": _Kind(
        1,
        _as_given(),
        _as_given(),
        lambda request, free, shares: [count_wraps([own[0] for own in shares])],
    ),
    "truncation": _Kind(
        1,
        _as_given(),
        lambda request: [_Shape(request.sizes[0])] * 2,
        lambda request, free, _: [unsigned_quotient(free[0], request.divisor), (free[0] < 0).long()],
    ),
    "comparison": _Kind(
        1,
        lambda request: _comparison_shapes(request)[:2],
        _comparison_derived,
        lambda request, free, _: _derive_comparison(request, free),
    ),
    "dcf": _Kind(
        1,
        _dcf_free,
        lambda request: [_Shape((2, *request.sizes[0]))],
        lambda request, free, shares: _derive_dcf(free, shares),
        lambda request: dcf.sizes(*request.sizes[0]),
    ),
    "harmonics": _Kind(
        1, _as_given(), _rows_of_count, lambda request, free, _: _derive_harmonics(request, free[0])
    ),
    "gate": _Kind(1, _gate_free, _gate_derived, lambda request, free, _: _derive_gate(request, free)),
    "table": _Kind(
        1,
        _as_given(),
        lambda request: _rows_of_count(request)[:1],
        lambda request, free, _: _derive_table(request, free[0]),
    ),
}


def _check(request: Request) -> None:
    if request.kind not in _KINDS:
        raise ValueError(f"kind {request.kind!r} is none of {sorted(_KINDS)}")
    operands = _KINDS[request.kind].operands
    if len(request.sizes) != operands:
        raise ValueError(f"{request.kind} takes {operands} shapes, got {len(request.sizes)}")
    if any(type(n) is not int or n < 0 for size in request.sizes for n in size):
        raise ValueError(f"shapes are non-negative integers, got {request.sizes}")
    if request.kind == "product" and request.op not in PRODUCTS:
        raise ValueError(f"product {request.op!r} is none of {PRODUCTS}")
    known = _LAYER_OPTIONS if request.kind == "layer" else _OPTIONS
    if unknown := {name for name, _ in request.options} - set(known):
        raise ValueError(f"options {sorted(unknown)} are none of {known}")
    may_divide = request.kind in ("comparison", "gate")
    divided = request.kind == "truncation" or (may_divide and request.divisor != 0)
    if divided and not 2 <= request.divisor < 1 << 62:
        raise ValueError(f"a divisor lies in [2, 2^62), got {request.divisor}")
    if request.kind in ("comparison", "dcf", "gate", "harmonics", "table") and len(request.sizes[0]) != 1:
        raise ValueError(f"{request.kind} are dealt in a row, got the shape {request.sizes[0]}")
    if request.kind == "harmonics":
        _check_harmonics(dict(request.options))
    if request.kind == "table":
        _check_table(dict(request.options).get("count"))
    sent = sent_sizes(request, first=True)
    # A layer also draws a mask for its gradient, which has the shape of its value.
    gradient = sent[:1] if request.kind == "layer" else ()
    words = sum(math.prod(size) for size in (*request.sizes, *gradient, *sent))
    if words > MAX_WORDS:
        raise ValueError(f"at most {MAX_WORDS} words in one tuple, got {words}")


def _check_harmonics(options: dict[str, Any]) -> None:
    period_bits, count = options.get("period_bits"), options.get("count")
    if type(period_bits) is not int or not 0 < period_bits <= harmonics.LARGEST_PERIOD_BITS:
        raise ValueError(
            f"harmonics have 1 to {harmonics.LARGEST_PERIOD_BITS} period bits, got {period_bits}"
        )
    if type(count) is not int or not 0 < count <= harmonics.LARGEST_COUNT:
        raise ValueError(f"from 1 to {harmonics.LARGEST_COUNT} harmonics are dealt, got {count}")


def _check_table(count: Any) -> None:
    if type(count) is not int or not 2 <= count <= lookup.LARGEST_TABLE or count & (count - 1):
        raise ValueError(f"a table has a power of two of entries up to {lookup.LARGEST_TABLE}, got {count}")
