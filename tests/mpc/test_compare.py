"""Sign tests on shares: exact for every word of the ring, in four openings of 98 bits that say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing import dealt, run, shared, words

from mpc.dealer.tuples import Request
from mpc.protocols.bits import to_numbers
from mpc.protocols.compare import (
    MASK_PLANES,
    ComparisonMask,
    QuotientMask,
    negative,
    negative_quotient,
)
from mpc.protocols.opening import Array

EDGES = [0, 1, -1, 2, -2, 2**16, -(2**16), 2**62, -(2**62), 2**63 - 1, -(2**63), -(2**63) + 1]


def compare(
    x: Array, parties: int, seed: int = 0, record: list[list[Array]] | None = None
) -> tuple[Array, Array]:
    """The opened results for all parties in this process."""
    masks = dealt(Request("comparison", ((x.size,),)), parties, seed)
    shares = shared(x, parties, seed)
    protocols = [
        negative(share, ComparisonMask(*words(mask)), rank == 0)
        for rank, (share, mask) in enumerate(zip(shares, masks, strict=True))
    ]
    results = run(protocols, record)
    bit = np.sum([result.negative for result in results], axis=0, dtype=np.uint64)
    plane = np.bitwise_xor.reduce([result.plane for result in results])
    assert np.array_equal(to_numbers(plane[0], x.size), bit)
    return bit, np.sum([result.selected for result in results], axis=0, dtype=np.uint64)


def check(x: Array, parties: int, seed: int = 0) -> None:
    bit, selected = compare(x, parties, seed)
    assert np.array_equal(bit, (x.view(np.int64) < 0).astype(np.uint64))
    assert np.array_equal(selected.view(np.int64), np.minimum(x.view(np.int64), 0))


def check_quotients(
    x: Array, divisor: int, parties: int, seed: int = 0, record: list[list[Array]] | None = None
) -> None:
    """Signs exact, quotients within a unit or two, what is selected the quotient itself."""
    masks = dealt(Request("comparison", ((x.size,),), divisor=divisor), parties, seed)
    protocols = [
        negative_quotient(
            share, divisor, ComparisonMask(*words(mask[:5])), QuotientMask(*words(mask[5:])), rank == 0
        )
        for rank, (share, mask) in enumerate(zip(shared(x, parties, seed), masks, strict=True))
    ]
    results = run(protocols, record)
    bit, selected, quotient = (
        np.sum([getattr(result, name) for result in results], axis=0, dtype=np.uint64)
        for name in ("negative", "selected", "quotient")
    )
    plane = np.bitwise_xor.reduce([result.plane for result in results])
    assert np.array_equal(to_numbers(plane[0], x.size), bit)
    numbers = x.view(np.int64).tolist()
    assert bit.tolist() == [int(number < 0) for number in numbers]
    assert np.array_equal(selected, quotient * bit)
    unit = 1 if divisor & (divisor - 1) == 0 else 2
    for number, found in zip(numbers, quotient.view(np.int64).tolist(), strict=True):
        assert abs(found * divisor - number) < unit * divisor


QUOTIENT_EDGES = [0, 1, -1, 2**16, -(2**16), 2**16 - 1, 2**61, -(2**61), 2**62 - 1, -(2**62)]


@pytest.mark.parametrize("parties", [1, 2, 3])
@pytest.mark.parametrize("divisor", [2, 3, 1 << 16, 10 << 16, (1 << 62) - 1])
def test_quotients_on_the_way_at_the_edges(divisor: int, parties: int) -> None:
    for seed in range(20):
        check_quotients(np.array(QUOTIENT_EDGES).view(np.uint64), divisor, parties, seed)


@given(
    st.lists(st.integers(-(2**62), 2**62 - 1), min_size=1, max_size=70),
    st.integers(2, 2**62 - 1),
    st.integers(0, 250),
)
def test_any_quotients(values: list[int], divisor: int, seed: int) -> None:
    check_quotients(np.array(values).view(np.uint64), divisor, 2, seed)


@pytest.mark.parametrize("value", [0, -1, 2**62 - 1, -(2**62)])
def test_a_quotient_opens_nothing_more(value: int) -> None:
    """Four openings of 98 bits, uniform bytes: chi-square, 255 degrees, bounds at 2^-40."""
    record: list[list[Array]] = []
    count = 1 << 14
    check_quotients(np.full(count, value).view(np.uint64), 1 << 16, 2, seed=5, record=record)
    assert sum(part.nbytes for step in record for part in step) * 8 == 98 * count
    octets = np.concatenate([part.reshape(-1).view(np.uint8) for step in record for part in step])
    expected = octets.size / 256
    statistic = float(((np.bincount(octets, minlength=256) - expected) ** 2 / expected).sum())
    assert 110 < statistic < 470


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_edges_of_the_ring_under_many_masks(parties: int) -> None:
    for seed in range(40):
        check(np.array(EDGES).view(np.uint64), parties, seed)


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("count", [1, 7, 64, 65, 100_000])
def test_any_number_of_tests(count: int, parties: int) -> None:
    rng = np.random.default_rng(count)
    x = rng.integers(0, 2**64, size=count, dtype=np.uint64)
    x[::3] = rng.integers(-4, 4, size=len(x[::3])).view(np.uint64)
    check(x, parties)


def test_masks_next_to_the_value() -> None:
    """Where x is r, one off, or differs in one bit only, the tree decides at every one of its places."""
    request = Request("comparison", ((64,),))
    r = np.sum([words(own)[0] for own in dealt(request, 2)], axis=0, dtype=np.uint64)
    for x in (
        -r,
        r,
        np.uint64(1) - r,
        r + np.uint64(1),
        (np.uint64(1) << np.arange(64, dtype=np.uint64)) - r,
    ):
        check(x, 2)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=70), st.integers(0, 250))
def test_any_words(values: list[int], seed: int) -> None:
    check(np.array(values).view(np.uint64), 2, seed)
    check(np.array(values).view(np.uint64), 3, seed)


def test_four_openings_of_98_bits() -> None:
    record: list[list[Array]] = []
    compare(np.zeros(800, dtype=np.uint64), 2, record=record)
    assert [[part.nbytes for part in step] for step in record] == [[6400], [2700], [600], [100]]
    assert sum(part.nbytes for step in record for part in step) * 8 == 98 * 800


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_what_is_opened_is_uniform_whatever_the_value(value: int) -> None:
    """Chi-square of each opening's bytes, for 2^16 tests of one value, 255 degrees: bounds at 2^-40."""
    record: list[list[Array]] = []
    compare(np.full(1 << 16, value).view(np.uint64), 2, seed=7, record=record)
    for step in record:
        octets = np.concatenate([part.reshape(-1).view(np.uint8) for part in step])
        expected = octets.size / 256
        statistic = float(((np.bincount(octets, minlength=256) - expected) ** 2 / expected).sum())
        assert 110 < statistic < 470


def test_masked_bits_are_uniform_one_by_one() -> None:
    """Each plane by itself, so that no fixed bit hides among the others: 2^14 flips, within 8 deviations."""
    record: list[list[Array]] = []
    count = 1 << 14
    compare(np.full(count, -5).view(np.uint64), 3, seed=3, record=record)
    planes = np.concatenate([step[0].reshape(-1, count // 8) for step in record[1:]])
    assert len(planes) == MASK_PLANES
    ones = np.unpackbits(planes, axis=1).sum(axis=1)
    assert np.abs(ones - count / 2).max() < 8 * (count / 4) ** 0.5
