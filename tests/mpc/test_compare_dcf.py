"""Sign tests by keys: exact for every word, as the tree's, in one opening that says nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sharing import dealt, run, shared, words

from mpc.dealer.schedule import AHEAD_WORDS, words_of
from mpc.dealer.tuples import Request, corrections, sent_sizes
from mpc.protocols import compare
from mpc.protocols.compare_dcf import TUPLE_TESTS, SignKey, negative, tuples_for
from mpc.protocols.dcf import Corrections
from mpc.protocols.opening import Array
from mpc.randomness import Stream

EDGES = [0, 1, -1, 2, -2, 2**16, -(2**16), 2**62, -(2**62), 2**63 - 1, -(2**63), -(2**63) + 1]


def sign_keys(counts: list[int], seed: int) -> list[list[SignKey]]:
    """Each party's keys."""
    keys: list[list[SignKey]] = [[], []]
    for place, count in enumerate(counts):
        for own, parts in zip(keys, dealt(Request("dcf", ((count,),)), 2, seed + place), strict=True):
            r, key_seed, _, offset, *public = words(parts)
            own.append(SignKey(r, key_seed, offset, Corrections(*public)))
    return keys


def signs(
    x: Array, seed: int = 0, record: list[list[Array]] | None = None, counts: list[int] | None = None
) -> list[Array]:
    """The opened bit and the opened part."""
    keys = sign_keys(counts or [x.size], seed)
    shares = shared(x, 2, seed)
    results = run([negative(shares[rank], keys[rank], rank == 0) for rank in range(2)], record)
    return [a + b for a, b in zip(*(result[:2] for result in results), strict=True)]


def check(x: Array, seed: int = 0, counts: list[int] | None = None) -> None:
    bit, selected = signs(x, seed, counts=counts)
    assert np.array_equal(bit, (x.view(np.int64) < 0).astype(np.uint64))
    assert np.array_equal(selected.view(np.int64), np.minimum(x.view(np.int64), 0))


def by_tree(x: Array, seed: int) -> list[Array]:
    masks = dealt(Request("comparison", ((x.size,),)), 2, seed)
    protocols = [
        compare.negative(share, compare.ComparisonMask(*words(mask)), rank == 0)
        for rank, (share, mask) in enumerate(zip(shared(x, 2, seed), masks, strict=True))
    ]
    return [a + b for a, b in zip(*(result[:2] for result in run(protocols)), strict=True)]


def test_edges_of_the_ring_under_many_masks() -> None:
    check(np.tile(np.array(EDGES).view(np.uint64), 200))


def test_masks_next_to_the_value() -> None:
    """Where x is r, one off, or c and r differ in one bit only: the path is left at each of its places."""
    (first,), (second,) = sign_keys([64], 0)
    r = first.r + second.r
    bits = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for x in (-r, r, np.uint64(1) - r, r + np.uint64(1), bits - r, (r ^ bits) - r):
        check(x)


def test_several_tuples_at_once() -> None:
    check(np.tile(np.array(EDGES).view(np.uint64), 5), counts=[1, 30, 29])


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40), st.integers(0, 250))
def test_any_words_as_the_tree(values: list[int], seed: int) -> None:
    x = np.array(values).view(np.uint64)
    check(x, seed)
    for one, other in zip(signs(x, seed), by_tree(x, seed), strict=True):
        assert np.array_equal(one, other)


def test_one_opening_of_64_bits() -> None:
    record: list[list[Array]] = []
    signs(np.zeros(800, dtype=np.uint64), record=record)
    assert [[part.nbytes for part in step] for step in record] == [[6400]]


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
def test_what_is_opened_is_uniform_whatever_the_value(value: int) -> None:
    """Chi-square of its bytes, 8192 tests of one value with as many masks, 255 degrees: bounds at 2^-40."""
    record: list[list[Array]] = []
    signs(np.full(8192, value).view(np.uint64), seed=7, record=record)
    ((opened,),) = record
    expected = opened.nbytes / 256
    counted = np.bincount(opened.view(np.uint8), minlength=256)
    assert 110 < float(((counted - expected) ** 2 / expected).sum()) < 470
    ones = np.unpackbits(opened.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=0, dtype=np.int64)
    assert np.abs(ones - 4096).max() < 8 * 2048**0.5


def test_what_is_dealt() -> None:
    """Corrections for the first party alone, the rest for both; two tuples may be on order ahead."""
    request = Request("dcf", ((TUPLE_TESTS,),))
    assert 8 * words_of(request, first=False) == 2032 * TUPLE_TESTS + 16
    assert 8 * words_of(request) == 2048 * TUPLE_TESTS + 16
    assert sent_sizes(request, first=True)[1:] == sent_sizes(request, first=False)
    assert 2 * words_of(request) <= AHEAD_WORDS
    assert tuples_for(2 * TUPLE_TESTS + 1) == [TUPLE_TESTS, TUPLE_TESTS, 1]
    assert tuples_for(0) == []
    first, second = dealt(Request("dcf", ((3,),)), 2)
    assert all(torch.equal(a, b) for a, b in zip(first[4:], second[4:], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first[:4], second[:4], strict=True))


@pytest.mark.parametrize("parties", [1, 3])
def test_keys_are_for_two(parties: int) -> None:
    streams = [Stream(bytes([rank]) * 32) for rank in range(parties)]
    with pytest.raises(ValueError, match=f"for 2 parties, got {parties}"):
        corrections(Request("dcf", ((3,),)), streams)
