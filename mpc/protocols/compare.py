"""Is a shared number negative: four rounds and 98 bits, with randomness from a dealer; any number of parties.

The parties open c = x + r for a dealt mask r. With x = c - r mod 2^64 the sign of x is the exclusive or of
the top bits of c and r and of the borrow, which is one when the 63 low bits of c are less than those of r
(Damgard, Fitzi, Kiltz, Nielsen, Toft, TCC 2006; a dealer in place of the joint choice of r). The public c is
compared with r up a tree with four children a node. A child is "less" (L) or "equal" (E), and

    L = L3 + E3 L2 + E3 E2 L1 + E3 E2 E1 L0    and    E = E3 E2 E1 E0    over GF(2).

At the leaves, four bits each, both are linear in products of bits of r, which are dealt; nothing is sent. At
the two levels above, each party opens its inputs masked by dealt bits a, and the products of up to four bits
(public xor a) are linear in products of the a, dealt as well (multi-input conjunctions as in Ohata, Nuida,
ePrint 2019/1020, section 3). The last bit is opened masked by a dealt bit b that is also shared additively.

Where x waits to be divided by d (a product whose scale is not taken off yet), the same opening also gives
q = floor(x / d) as in mpc.protocols.truncate, and q times the test's result, if floor(r / d), r's top bit and
the products of both with b are dealt too: a ReLU then takes no round for the division.

Cost to one party of n tests: 4 rounds, 8 n + ceil(27 n / 8) + ceil(6 n / 8) + ceil(n / 8) bytes sent, and as
many received from each other party; 12.25 bytes a test. The product of x and the test's result costs nothing
more: x is c - r, and r b is dealt.

Security, semi-honest, against all parties but one, and the dealer sees nothing: every value opened is the
exclusive or (the sum) of a secret and a dealt mask that is uniform, independent of all else and used once, so
a simulator draws it at random; opened shares are re-randomised by the dealt ones (see mpc.rerandomise).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mpc.protocols.bits import (
    from_wire,
    masked_product,
    monomials,
    multiply,
    plane_words,
    to_numbers,
    to_planes,
    to_wire,
)
from mpc.protocols.opening import Array, Part, Protocol
from mpc.protocols.truncate import OFFSET, RING

# Places of a node's inputs in sets of them.
E3, E2, E1, L2, L1, L0, E0 = range(7)


def _set(*places: int) -> int:
    return sum(1 << place for place in places)


_LESS = [_set(E3, L2), _set(E3, E2, L1), _set(E3, E2, E1, L0)]
_EQUAL = _set(E3, E2, E1, E0)


def _parts(of: int) -> set[int]:
    return {part for part in range(1, of + 1) if part & of == part and part.bit_count() > 1}


# What is dealt of a node's masks: the products that its conjunctions need; those with E0 stand last, since
# the node of the lowest bits does not need to know whether it is equal.
_PRODUCTS = sorted(set.union(*map(_parts, [*_LESS, _EQUAL])), key=lambda part: (part >> E0, part))
_LESS_PRODUCTS = [part for part in _PRODUCTS if not part >> E0]
_LEAVES, _NODES = 16, 4
_LEAF_PRODUCTS = [1, 2, 4, 8, *monomials(4)]
# Planes of masks: of the four nodes' inputs and of the root's, without the lowest E0 of each, and of b.
_NODE_MASKS, _ROOT_MASKS = 7 * _NODES - 1, 6
MASK_PLANES = _NODE_MASKS + _ROOT_MASKS + 1
_SIZES = (
    len(_LEAF_PRODUCTS) * _LEAVES,
    len(_PRODUCTS) * _NODES,
    len(_LESS_PRODUCTS),
)
# Planes of products: of r's bits, of the nodes' masks, of the root's masks, and r's top bit.
PRODUCT_PLANES = sum(_SIZES) + 1


class ComparisonMask(NamedTuple):
    """One party's shares of what n tests use up, all uint64.

    r: uniform, shape (n,), additive. masks: uniform bits, (MASK_PLANES, plane words), bitwise. products: of
    bits of r and of masks, (PRODUCT_PLANES, plane words), bitwise. bit: the last mask b, (n,), additive.
    masked: r b, (n,), additive.
    """

    r: Array
    masks: Array
    products: Array
    bit: Array
    masked: Array


class QuotientMask(NamedTuple):
    """One party's additive shares, (n,) uint64, of what a ComparisonMask has beside it for a quotient by d.

    quotient: floor(r / d). top: r's top bit. masked_quotient, masked_top: their products with the bit b.
    """

    quotient: Array
    top: Array
    masked_quotient: Array
    masked_top: Array


class Sign(NamedTuple):
    """One party's additive shares, (n,) uint64: of 1 where x < 0, else 0; and of x there, else 0.

    plane: its bitwise share of the former, (1, plane words), for mpc.protocols.gate; None by keys.
    """

    negative: Array
    selected: Array
    plane: Array | None = None


class SignedQuotient(NamedTuple):
    """As Sign, with q in place of x, and this party's share of q."""

    negative: Array
    selected: Array
    plane: Array
    quotient: Array


def derive(r: Array, masks: Array) -> tuple[Array, Array, Array]:
    """The dealer's part: products, bit and masked (see ComparisonMask) of r and masks in the clear."""
    planes = to_planes(r << np.uint64(1)).reshape(_LEAVES, 4, -1)[::-1]
    leaves = [planes[:, place] for place in range(4)]
    nodes, root = _node_masks(masks)
    products = [multiply(leaves, part) for part in _LEAF_PRODUCTS]
    products += [multiply(nodes, part) for part in _PRODUCTS]
    products += [multiply(root, part) for part in _LESS_PRODUCTS]
    products.append(to_planes(r)[63:])
    bit = to_numbers(masks[-1], r.size)
    return np.concatenate(products), bit, r * bit


def derive_quotient(r: Array, bit: Array, divisor: int) -> QuotientMask:
    """The dealer's part of a QuotientMask, in the clear."""
    quotient, top = r // np.uint64(divisor), r >> np.uint64(63)
    return QuotientMask(quotient, top, quotient * bit, top * bit)


def negative(x: Array, dealt: ComparisonMask, first: bool) -> Protocol[Sign]:
    """Sign of each of n numbers, from this party's shares of them: any int64 as uint64, shape (n,).

    Exact for every word of the ring, also for -2^63. `first` is true for one party, who adds public terms.
    """
    (c,) = yield [Part(x + dealt.r)]
    flip = yield from _flip(c, dealt, first)
    return select(x, c, flip, dealt.bit, dealt.masked, first)._replace(plane=_plane(flip, dealt, first))


def negative_quotient(
    x: Array, divisor: int, dealt: ComparisonMask, of_quotient: QuotientMask, first: bool
) -> Protocol[SignedQuotient]:
    """As `negative`, with q = x / divisor in place of x in what is selected, and q itself.

    x lies in [-2^62, 2^62), 2 <= divisor < 2^62; the sign is that of x, exactly, and q is off by less than
    one unit where the divisor is a power of two, by less than two otherwise.
    """
    (c,) = yield [Part(x + dealt.r)]
    flip = yield from _flip(c, dealt, first)
    sign, quotient = select_quotient(c, flip, divisor, dealt.bit, of_quotient, first)
    return SignedQuotient(*sign[:2], _plane(flip, dealt, first), quotient)


def _plane(flip: Array, dealt: ComparisonMask, first: bool) -> Array:
    """This party's bitwise share of flip xor b."""
    own = dealt.masks[-1:]
    return (
        own ^ from_wire(np.packbits(flip.astype(np.uint8), bitorder="little"), 1, flip.size) if first else own
    )


def _flip(c: Array, dealt: ComparisonMask, first: bool) -> Protocol[Array]:
    """What differs from the dealt bit b where c - r is negative: public, (n,) uint64 of 0 and 1."""
    count = c.size
    nodes, root = _node_masks(dealt.masks)
    leaf, upper, last, top = np.split(dealt.products, np.cumsum(_SIZES))
    less, equal = _leaves(c, leaf, first)

    inputs = _inputs(less, equal, _NODES)
    public = yield from _open_bits(inputs ^ nodes, 7 * _NODES - 1, count)
    less, equal = _node(public, nodes, _by_set(upper, _PRODUCTS, _NODES), less.reshape(_NODES, 4, -1), first)

    inputs = _inputs(less, equal, 1)
    public = yield from _open_bits(inputs ^ root, _ROOT_MASKS, count)
    less, _ = _node(public, root, _by_set(last, _LESS_PRODUCTS, 1), less.reshape(1, 4, -1), first)

    hidden = less ^ top ^ dealt.masks[-1:]
    (opened,) = yield [Part(to_wire(hidden, count))]
    flip: Array = to_numbers(from_wire(opened, 1, count)[0], count) ^ (c >> np.uint64(63))
    return flip


def select(x: Array, c: Array, flip: Array, bit: Array, masked: Array, first: bool) -> Sign:
    """Sign of x = c - r where it is flip xor b, from shares of x, of a bit b and, `masked`, of r b.

    The result is flip + (1 - 2 flip) b, and its product with x follows from c b - r b.
    """
    side = np.uint64(1) - (flip << np.uint64(1))
    negative = side * bit + (flip if first else np.uint64(0))
    return Sign(negative, flip * x + side * (c * bit - masked))


def select_quotient(
    c: Array, flip: Array, divisor: int, bit: Array, of_quotient: QuotientMask, first: bool
) -> tuple[Sign, Array]:
    """As `select` for q = x / divisor with x = c - r, from shares of a bit b and of a QuotientMask; and q."""
    # With the offset x is not negative, and r wrapped if its top bit is one and that of the sum is not.
    c = c + np.uint64(OFFSET)
    wrap = (np.uint64(1) - (c >> np.uint64(63))) * np.uint64(RING // divisor)
    known = c // np.uint64(divisor) - np.uint64(OFFSET // divisor)
    quotient = wrap * of_quotient.top - of_quotient.quotient + (known if first else np.uint64(0))
    under_mask = wrap * of_quotient.masked_top - of_quotient.masked_quotient + known * bit
    side = np.uint64(1) - (flip << np.uint64(1))
    negative = side * bit + (flip if first else np.uint64(0))
    return Sign(negative, flip * quotient + side * under_mask), quotient


def _node_masks(masks: Array) -> tuple[Array, Array]:
    """The masks by input and node: (7, 4, plane words) and (7, 1, plane words), zero for the lowest E0."""
    none = np.zeros_like(masks[:1])
    nodes = np.concatenate([masks[:_NODE_MASKS], none]).reshape(7, _NODES, -1)
    root = np.concatenate([masks[_NODE_MASKS:-1], none]).reshape(7, 1, -1)
    return nodes, root


def _leaves(c: Array, products: Array, first: bool) -> tuple[Array, Array]:
    """Less and equal of each block of four bits, highest block first, (16, plane words); nothing is sent.

    The 63 low bits stand above a zero bit that c and r have in common. A bit of c is less where it is zero
    and that of r is one, equal where (not c) xor r.
    """
    planes = ~to_planes(c << np.uint64(1)).reshape(_LEAVES, 4, -1)[::-1]
    clear = [planes[:, place] for place in range(4)]
    shares = _by_set(products, _LEAF_PRODUCTS, _LEAVES)
    equal = masked_product(clear, 0b1111, shares, first)
    less = np.zeros_like(equal)
    for place in range(4):
        above = sum(1 << higher for higher in range(place + 1, 4))
        # The product of r's bit here with those above: one variable more in every set.
        with_bit = {part: shares[part | 1 << place] for part in range(16) if part & above == part}
        term = with_bit[0] & (multiply(clear, above) if above else ~np.uint64(0))
        if above:
            term = term ^ masked_product(clear, above, with_bit, False)
        less ^= clear[place] & term
    return less, equal


def _inputs(less: Array, equal: Array, nodes: int) -> Array:
    """The inputs of each node in the order of their places, (7, nodes, plane words)."""
    low, same = less.reshape(nodes, 4, -1), equal.reshape(nodes, 4, -1)
    columns = [same[:, 0], same[:, 1], same[:, 2], low[:, 1], low[:, 2], low[:, 3], same[:, 3]]
    return np.stack(columns)


def _open_bits(hidden: Array, live: int, count: int) -> Protocol[Array]:
    """The first `live` planes opened, the others, which nobody needs, zero; in the shape of `hidden`."""
    planes = hidden.reshape(-1, plane_words(count))
    (octets,) = yield [Part(to_wire(planes[:live], count))]
    public = np.zeros_like(planes)
    public[:live] = from_wire(octets, live, count)
    return public.reshape(hidden.shape)


def _node(
    public: Array, masks: Array, products: dict[int, Array], less: Array, first: bool
) -> tuple[Array, Array]:
    """Less and equal of each node, (nodes, plane words), from its opened inputs and its highest L."""
    shares = products | {1 << place: masks[place] for place in range(7)}
    result = less[:, 0]
    for part in _LESS:
        result = result ^ masked_product(public, part, shares, first)
    equal = masked_product(public, _EQUAL, shares, first) if _EQUAL in shares else np.zeros_like(result)
    return result, equal


def _by_set(products: Array, sets: list[int], width: int) -> dict[int, Array]:
    return dict(zip(sets, products.reshape(len(sets), width, -1), strict=True))


def words_for(count: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the parts of a ComparisonMask for `count` tests."""
    words = plane_words(count)
    return (count,), (MASK_PLANES, words), (PRODUCT_PLANES, words), (count,), (count,)
