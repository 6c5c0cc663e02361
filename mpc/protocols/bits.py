"""Bits of many words side by side: bit planes, their products, and only the live bits of them on the wire.

A plane holds one bit of each of n words in ceil(n / 64) words (uint64), the first in the lowest bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mpc.protocols.opening import Array

WORD = 64


def plane_words(count: int) -> int:
    """How many words hold one bit of each of `count` numbers."""
    return -(-count // WORD)


def to_planes(words: Array) -> Array:
    """All bits of n words (uint64): shape (64, plane words), lowest bit first.

    Transposes blocks of 64 by 64 bits (Warren, Hacker's Delight, 2nd edition, section 7-3).
    """
    padded = np.zeros(plane_words(words.size) * WORD, dtype=np.uint64)
    padded[: words.size] = words
    rows = np.ascontiguousarray(padded.reshape(-1, WORD).T)
    width, mask = 32, (1 << 32) - 1
    while width:
        pairs = rows.reshape(WORD // (2 * width), 2, width, -1)
        low, high = pairs[:, 0], pairs[:, 1]
        swap = ((low >> np.uint64(width)) ^ high) & np.uint64(mask)
        high ^= swap
        low ^= swap << np.uint64(width)
        width //= 2
        mask ^= (mask << width) & (2**64 - 1)
    return rows


def to_numbers(plane: Array, count: int) -> Array:
    """The bits of one plane as `count` numbers 0 or 1 (uint64)."""
    bits: Array = np.unpackbits(plane.view(np.uint8), bitorder="little")[:count]
    return bits.astype(np.uint64)


def to_wire(planes: Array, count: int) -> Array:
    """The `count` live bits of every plane, one after the other, in bytes."""
    octets = np.ascontiguousarray(planes).view(np.uint8)
    if count % 8 == 0:
        return np.ascontiguousarray(octets[:, : count // 8]).reshape(-1)
    return np.packbits(np.unpackbits(octets, axis=1, bitorder="little")[:, :count], bitorder="little")


def from_wire(octets: Array, planes: int, count: int) -> Array:
    """The planes that `to_wire` was given, with zeros behind the live bits."""
    result = np.zeros((planes, plane_words(count) * 8), dtype=np.uint8)
    if count % 8 == 0:
        result[:, : count // 8] = octets.reshape(planes, -1)
    else:
        bits = np.unpackbits(octets, bitorder="little", count=planes * count).reshape(planes, count)
        result[:, : -(-count // 8)] = np.packbits(bits, axis=1, bitorder="little")
    return result.view(np.uint64)


def monomials(variables: int) -> list[int]:
    """All products of two or more of `variables` bits, as sets of their places in the bits of an int."""
    return [subset for subset in range(1, 1 << variables) if subset.bit_count() > 1]


def multiply(planes: Sequence[Array] | Array, subset: int) -> Array:
    """The conjunction of the planes in `subset`."""
    chosen = [plane for place, plane in enumerate(planes) if subset >> place & 1]
    product: Array = np.bitwise_and.reduce(chosen)
    return product


def masked_product(
    public: Sequence[Array] | Array, subset: int, shares: Mapping[int, Array], first: bool
) -> Array:
    """This party's share of the conjunction over i in `subset` of (public_i xor a_i).

    `shares` has this party's share of the conjunction of a_i for every non-empty part of `subset`; `first` is
    true for one party, who adds the public term.
    """
    places = [place for place in range(len(public)) if subset >> place & 1]
    # coefficients[S] is the product of the public bits of `subset` outside S.
    total = multiply(public, subset) if first else np.zeros_like(public[places[0]])
    part = subset
    while part:
        rest = subset & ~part
        total = total ^ (shares[part] & multiply(public, rest) if rest else shares[part])
        part = (part - 1) & subset
    return total
