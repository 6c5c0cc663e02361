"""Numbers times bits, divided on the way: exact for every word, in 65 opened bits that say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing import dealt, run, shared, words

from mpc.dealer.tuples import Request
from mpc.protocols.bits import from_wire
from mpc.protocols.gate import GateMask, QuotientGateMask, gated, gated_quotient
from mpc.protocols.opening import Array
from mpc.randomness import Stream

EDGES = [0, 1, -1, 2**16, -(2**16), 2**62 - 1, -(2**62), 2**63 - 1, -(2**63)]


def planes(bits: Array, parties: int, seed: int) -> list[Array]:
    """Bitwise shares of bits."""
    plane = from_wire(np.packbits(bits.astype(np.uint8), bitorder="little"), 1, bits.size)
    stream = Stream(bytes([254, seed % 251]) * 16)
    others = words([stream.bits(plane.shape, 64) for _ in range(parties - 1)])
    return [np.bitwise_xor.reduce([plane, *others]), *others]


def product(
    x: Array,
    bits: Array,
    parties: int,
    divisor: int = 0,
    seed: int = 0,
    record: list[list[Array]] | None = None,
) -> Array:
    masks = dealt(Request("gate", ((x.size,),), divisor=divisor), parties, seed)
    each = zip(shared(x, parties, seed), planes(bits, parties, seed), masks, strict=True)
    protocols = [
        gated_quotient(share, divisor, plane, QuotientGateMask(*words(mask)), rank == 0)
        if divisor
        else gated(share, plane, GateMask(*words(mask)), rank == 0)
        for rank, (share, plane, mask) in enumerate(each)
    ]
    return np.sum(run(protocols, record), axis=0, dtype=np.uint64)


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_every_word_with_either_bit(parties: int) -> None:
    x = np.array(EDGES * 2).view(np.uint64)
    bits = np.repeat(np.arange(2, dtype=np.uint64), len(EDGES))
    for seed in range(40):
        assert np.array_equal(product(x, bits, parties, seed=seed), x * bits)


@given(
    st.lists(st.tuples(st.integers(-(2**62), 2**62 - 1), st.booleans()), min_size=1, max_size=70),
    st.integers(2, 2**62 - 1),
    st.integers(0, 250),
)
def test_any_quotients(pairs: list[tuple[int, bool]], divisor: int, seed: int) -> None:
    numbers, bits = (np.array(one) for one in zip(*pairs, strict=True))
    x = numbers.astype(np.int64).view(np.uint64)
    for parties in (2, 3):
        found = product(x, bits.astype(np.uint64), parties, divisor, seed).view(np.int64).tolist()
        unit = 1 if divisor & (divisor - 1) == 0 else 2
        for (number, bit), quotient in zip(pairs, found, strict=True):
            if bit:
                assert abs(quotient * divisor - number) < unit * divisor
            else:
                assert quotient == 0


@pytest.mark.parametrize("divisor", [0, 1 << 16])
@pytest.mark.parametrize(("value", "bit"), [(0, 0), (0, 1), (2**62 - 1, 1), (-(2**62), 0)])
def test_what_is_opened_is_uniform(value: int, bit: int, divisor: int) -> None:
    """Chi-square of the bytes of 2^14 words and bits, 255 degrees: bounds at 2^-40."""
    record: list[list[Array]] = []
    count = 1 << 14
    x, bits = np.full(count, value).view(np.uint64), np.full(count, bit, dtype=np.uint64)
    product(x, bits, 2, divisor, seed=11, record=record)
    ((opened, octets),) = record
    assert opened.nbytes + octets.nbytes == 65 * count // 8
    for part, low, high in ((opened.view(np.uint8), 110, 470), (octets, 110, 470)):
        expected = part.size / 256
        statistic = float(((np.bincount(part, minlength=256) - expected) ** 2 / expected).sum())
        assert low < statistic < high
