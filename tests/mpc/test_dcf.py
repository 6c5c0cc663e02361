"""Distributed comparison functions: bit for bit as one number at a time, and nothing to see in a key."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from mpc.protocols import dcf
from mpc.protocols.opening import Array

WORD, BLOCK = 1 << 64, 1 << 128
TOP = (1 << dcf.LEVELS) - 1


class Key(NamedTuple):
    """Corrections of one number: blocks of 128 bits, and pairs of words."""

    cipher: bytes
    seeds: list[int]
    values: list[tuple[int, int]]


def drawn(cipher: bytes, seed: int, which: int) -> int:
    block = (seed | which).to_bytes(16, "little")
    encrypted = Cipher(algorithms.AES(cipher), modes.ECB()).encryptor().update(block)
    return int.from_bytes(encrypted, "little") ^ (seed | which)


def pair(block: int) -> tuple[int, int]:
    return block % WORD, block // WORD


def combine(*terms: tuple[int, tuple[int, int]]) -> tuple[int, int]:
    low, high = (sum(factor * value[word] for factor, value in terms) % WORD for word in range(2))
    return low, high


def slow_derive(alpha: int, beta: tuple[int, int], roots: tuple[int, int], cipher: bytes) -> Key:
    """Gen of ePrint 2020/1392 in its letters."""
    s, t, v_alpha = [root & ~3 for root in roots], [0, 1], (0, 0)
    key = Key(cipher, [], [])
    for level in reversed(range(dcf.LEVELS)):
        bit = alpha >> level & 1
        keep, lose = bit, 1 - bit
        sign = -1 if t[1] else 1
        child = [[drawn(cipher, s[b], 2 * side) for side in range(2)] for b in range(2)]
        v = [[pair(drawn(cipher, s[b], 2 * side + 1)) for side in range(2)] for b in range(2)]
        v_cw = combine((sign, v[1][lose]), (-sign, v[0][lose]), (-sign, v_alpha), (sign * bit, beta))
        v_alpha = combine((1, v_alpha), (-1, v[1][keep]), (1, v[0][keep]), (sign, v_cw))
        t_cw = [(child[0][0] ^ child[1][0] ^ bit ^ 1) & 1, (child[0][1] ^ child[1][1] ^ bit) & 1]
        s_cw = (child[0][lose] ^ child[1][lose]) & ~3
        key.seeds.append(s_cw | t_cw[1] << 1 | t_cw[0])
        key.values.append(v_cw)
        s = [(child[b][keep] ^ t[b] * s_cw) & ~3 for b in range(2)]
        t = [(child[b][keep] ^ t[b] * t_cw[keep]) & 1 for b in range(2)]
    last = [pair(drawn(cipher, s[b], 1)) for b in range(2)]
    sign = -1 if t[1] else 1
    key.values.append(combine((sign, last[1]), (-sign, last[0]), (-sign, v_alpha)))
    return key


def slow_evaluate(key: Key, root: int, x: int, party: int) -> tuple[int, int]:
    s, t, total = root & ~3, party, (0, 0)
    sign = -1 if party else 1
    for level, s_cw, v_cw in zip(reversed(range(dcf.LEVELS)), key.seeds, key.values, strict=False):
        side = x >> level & 1
        child = drawn(key.cipher, s, 2 * side)
        value = pair(drawn(key.cipher, s, 2 * side + 1))
        total = combine((1, total), (sign, value), (sign * t, v_cw))
        s = (child ^ t * s_cw) & ~3
        t = (child ^ t * (s_cw >> side)) & 1
    return combine((1, total), (sign, pair(drawn(key.cipher, s, 1))), (sign * t, key.values[-1]))


def random_words(seed: int, *size: int) -> Array:
    return np.random.default_rng(seed).integers(0, WORD, size=size, dtype=np.uint64)


def number(block: Array) -> int:
    return int.from_bytes(block.tobytes(), "little")


def shares(alpha: Array, beta: Array, x: Array, seed: int = 0) -> tuple[Array, Array]:
    seeds = random_words(seed, 2, 2, alpha.size)
    public = dcf.derive(alpha, beta, seeds, random_words(seed + 1, 2))
    first, second = (dcf.evaluate(public, seeds[party], x, party) for party in range(2))
    return first, second


def check(alpha: Array, x: Array, seed: int = 0) -> None:
    beta = random_words(seed + 2, 2, alpha.size)
    first, second = shares(alpha, beta, x, seed)
    assert np.array_equal(first + second, np.where(x < alpha, beta, np.uint64(0)))


def test_keys_and_values_are_those_of_one_number_at_a_time() -> None:
    count = 12
    alpha, x = random_words(1, 2, count) >> np.uint64(1)
    x[:3] = alpha[:3] + np.array([0, 1, -1]).view(np.uint64)
    alpha[3:5], x[5:7] = [0, TOP], [0, TOP]
    beta, seeds, cipher = random_words(2, 2, count), random_words(3, 2, 2, count), random_words(4, 2)
    public = dcf.derive(alpha, beta, seeds, cipher)
    assert [part.shape for part in public] == list(dcf.sizes(count))
    results = [dcf.evaluate(public, seeds[party], x, party) for party in range(2)]
    for place in range(count):
        roots = number(seeds[0, :, place]), number(seeds[1, :, place])
        low, high = beta[:, place].tolist()
        key = slow_derive(int(alpha[place]), (low, high), roots, cipher.tobytes())
        assert [number(block) for block in public.seeds[..., place]] == key.seeds
        assert [tuple(words) for words in public.values[..., place].tolist()] == key.values
        for party in range(2):
            expected = slow_evaluate(key, roots[party], int(x[place]), party)
            assert tuple(results[party][:, place].tolist()) == expected


def test_all_pairs_of_edges() -> None:
    edges = [0, 1, 2, 3, 2**31, 2**32 - 1, 2**32, 2**62 - 1, 2**62, TOP - 1, TOP]
    alpha, x = np.meshgrid(np.array(edges, dtype=np.uint64), np.array(edges, dtype=np.uint64))
    check(alpha.reshape(-1), x.reshape(-1))


def test_the_path_is_left_at_every_level() -> None:
    alpha = np.full(dcf.LEVELS, random_words(5)) >> np.uint64(1)
    check(alpha, alpha ^ (np.uint64(1) << np.arange(dcf.LEVELS, dtype=np.uint64)))


@pytest.mark.parametrize("count", [1, 1000, 5000])
def test_any_number_of_keys(count: int) -> None:
    alpha, x = random_words(count, 2, count) >> np.uint64(1)
    x[::2] = alpha[::2] - (x[::2] & np.uint64(1))
    check(alpha, x & np.uint64(TOP))


@given(
    st.lists(st.tuples(st.integers(0, TOP), st.integers(0, TOP)), min_size=1, max_size=20), st.integers(0, 99)
)
def test_any_numbers(pairs: list[tuple[int, int]], seed: int) -> None:
    alpha, x = np.array(pairs, dtype=np.uint64).T
    check(np.ascontiguousarray(alpha), np.ascontiguousarray(x), seed)


def looks_uniform(octets: Array) -> bool:
    """Chi-square of bytes, 255 degrees of freedom: outside these bounds with probability below 2^-40."""
    expected = octets.size / 256
    statistic = float(((np.bincount(octets, minlength=256) - expected) ** 2 / expected).sum())
    return 110 < statistic < 470


@pytest.mark.parametrize(("alpha", "beta"), [(0, 0), (TOP, 1), (2**62, WORD - 1)])
def test_a_key_looks_random_whatever_it_is_for(alpha: int, beta: int) -> None:
    """4096 keys for one function, from fixed seeds: each correction of every level, and each share."""
    count = 4096
    seeds = random_words(6, 2, 2, count)
    public = dcf.derive(
        np.full(count, alpha, dtype=np.uint64),
        np.full((2, count), beta, dtype=np.uint64),
        seeds,
        random_words(7, 2),
    )
    for level in (*public.seeds, *public.values):
        assert looks_uniform(np.ascontiguousarray(level).view(np.uint8).reshape(-1))
        # Bit by bit, so that a fixed one does not hide in its byte: 9 deviations.
        ones = np.unpackbits(np.ascontiguousarray(level.T).view(np.uint8), axis=1).sum(axis=0, dtype=np.int64)
        assert np.abs(ones - count / 2).max() < 9 * (count / 4) ** 0.5
    x = random_words(8, count) >> np.uint64(1)
    for party in range(2):
        assert looks_uniform(dcf.evaluate(public, seeds[party], x, party).view(np.uint8).reshape(-1))
