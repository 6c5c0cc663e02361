"""A small shared number against a public one: exact for every pair, in two bytes that say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing import dealt, run, shared, words

from mpc.dealer.tuples import Request
from mpc.protocols.lookup import TableMask, equals
from mpc.protocols.opening import Array


def told(
    numbers: Array,
    value: int,
    entries: int,
    parties: int,
    seed: int = 0,
    record: list[list[Array]] | None = None,
) -> Array:
    masks = dealt(Request("table", ((numbers.size,),), options=(("count", entries),)), parties, seed)
    shares = shared(numbers.astype(np.uint64), parties, seed)
    protocols = [
        equals(share, value, TableMask(*words(mask))) for share, mask in zip(shares, masks, strict=True)
    ]
    return np.sum(run(protocols, record), axis=0, dtype=np.uint64)


@pytest.mark.parametrize("parties", [1, 2, 3])
@pytest.mark.parametrize("entries", [2, 16, 256])
def test_every_number_against_every_value(entries: int, parties: int) -> None:
    numbers = np.arange(entries)
    for value in range(0, entries, max(1, entries // 16)):
        assert np.array_equal(
            told(numbers, value, entries, parties, value), (numbers == value).astype(np.uint64)
        )


@given(st.lists(st.integers(0, 15), min_size=1, max_size=40), st.integers(0, 15), st.integers(0, 250))
def test_any_numbers(numbers: list[int], value: int, seed: int) -> None:
    assert told(np.array(numbers), value, 16, 2, seed).tolist() == [int(one == value) for one in numbers]


@pytest.mark.parametrize("number", [0, 15])
def test_what_is_opened_is_uniform_whatever_the_number(number: int) -> None:
    """Chi-square of 2^16 openings' bytes, 255 degrees: bounds at 2^-40."""
    record: list[list[Array]] = []
    told(np.full(1 << 16, number), 15, 16, 2, seed=9, record=record)
    ((opened,),) = record
    assert opened.dtype == np.uint16
    for octets in (opened & 0xFF, opened >> 8):
        expected = octets.size / 256
        statistic = float(((np.bincount(octets, minlength=256) - expected) ** 2 / expected).sum())
        assert 110 < statistic < 470


@pytest.mark.parametrize("count", [0, 1, 3, 512, True, "2"])
def test_only_tables_of_a_power_of_two_are_dealt(count: object) -> None:
    request = Request("table", ((4,),), options=(("count", count),))
    with pytest.raises(ValueError, match="a power of two of entries up to 256"):
        Request.from_bytes(request.to_bytes())
