"""Bit planes: the transposition beside numpy's unpacking, live bits on the wire, products of masked bits."""

import functools
import operator

import numpy as np
import pytest

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

COUNTS = [1, 7, 8, 63, 64, 65, 200]


def drawn(*size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, size=size, dtype=np.uint64)


def pattern(count: int) -> np.ndarray:
    edges = np.array([0, 2**64 - 1, 1, 2**63, 0xAAAAAAAAAAAAAAAA], dtype=np.uint64)
    return np.concatenate([edges, drawn(count)])[:count]


@pytest.mark.parametrize("count", COUNTS)
def test_planes_hold_the_bits_of_the_words(count: int) -> None:
    """Beside its slow twin, one bit at a time."""
    words = pattern(count)
    planes = to_planes(words)
    assert planes.shape == (64, plane_words(count))
    for place in range(64):
        bits = words >> np.uint64(place) & np.uint64(1)
        assert np.array_equal(to_numbers(planes[place], count), bits)
        packed = np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()
        assert planes[place].tobytes() == packed.ljust(8 * plane_words(count), b"\0")


@pytest.mark.parametrize("count", COUNTS)
def test_only_live_bits_travel(count: int) -> None:
    planes = drawn(5, plane_words(count))
    octets = to_wire(planes, count)
    assert octets.dtype == np.uint8
    assert octets.size == -(-5 * count // 8)
    back = from_wire(octets, 5, count)
    for mine, given in zip(back, planes, strict=True):
        assert np.array_equal(to_numbers(mine, count), to_numbers(given, count))
    assert np.array_equal(to_wire(back, count), octets)


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_products_of_masked_bits(parties: int) -> None:
    """The shares of (public xor a) over a set combine to it, for every set of five bits."""
    masks, public = drawn(5, 3), drawn(5, 3, seed=1)
    clear = {1 << place: masks[place] for place in range(5)}
    clear |= {subset: multiply(masks, subset) for subset in monomials(5)}
    shares = [{subset: drawn(3, seed=subset * 7 + rank) for subset in clear} for rank in range(parties)]
    for subset, value in clear.items():
        shares[0][subset] = functools.reduce(operator.xor, [own[subset] for own in shares[1:]], value)
    for subset in clear:
        parts = [masked_product(public, subset, own, rank == 0) for rank, own in enumerate(shares)]
        expected = multiply(public ^ masks, subset)
        assert np.array_equal(functools.reduce(operator.xor, parts), expected)


def test_monomials_are_all_products_of_two_or_more() -> None:
    assert monomials(3) == [0b011, 0b101, 0b110, 0b111]
    assert len(monomials(4)) == 11
