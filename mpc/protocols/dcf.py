"""A distributed comparison function: two keys that give shares of beta where x < alpha, and show neither.

Boyle, Chandran, Gilboa, Gupta, Ishai, Kumar, Rathee, ePrint 2020/1392, section 3: alpha is a path down a
binary tree of seeds. Off the path both parties hold the same seed and control bit, and what they add cancels;
on it the seeds are independent and the bits differ. One correction a level, the same for both, makes alike
what lies beside the path, and the values add up. Here alpha and x have 63 bits, and beta is two words, each
added modulo 2^64. (Trees of seeds with corrections: Boyle, Gilboa, Ishai, ePrint 2018/707.)

All keys of a tuple go down level by level together. A seed s has 126 bits and stands in a block of 128 above
two zeros. There a number j says which of four blocks is drawn from s (side; next seed or value), a block that
becomes a seed has its control bit, and a correction those of both sides. Block j is H(s + j) with
H(b) = E(b) xor b, and E is AES-128 under a public key that is drawn anew for each tuple.

Security: H is the construction of Matyas, Meyer and Oseas. With E an ideal cipher and s uniform the blocks
are uniform, but for E being one to one, to whoever has not asked E for one of the s + j (Guo, Katz, Wang, Yu,
ePrint 2019/074, for one permutation; a key for each tuple keeps work on one from serving another: Guo, Katz,
Wang, Weng, Yu, ePrint 2019/1168). Who asks q times meets one of the 64 n seeds of a tuple that it must not
know with probability 64 n q / 2^126: for n = 4096 and q = 2^68 that is 2^-40. So each key is simulated by
random words, level by level, as in the proof there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from mpc.protocols.opening import Array

LEVELS = 63
# Keys that go down the tree together: their blocks stay in the processor's nearest caches.
_AT_ONCE = 1024
_ONE = np.uint64(1)
# What of a block is seed, and the j of what is drawn from the last seeds.
_SEED = np.array([~np.uint64(3), ~np.uint64(0)])
_VALUE = np.array([1, 0], dtype=np.uint64)
_SLACK = algorithms.AES.block_size // 8 - 1


class Corrections(NamedTuple):
    """What both parties know of n keys, all uint64.

    cipher: E's key, (2,). seeds: (LEVELS, n, 2). values: (LEVELS + 1, n, 2), the last ones of the last seeds.
    """

    cipher: Array
    seeds: Array
    values: Array


def sizes(count: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the parts of Corrections for `count` keys."""
    return (2,), (LEVELS, count, 2), (LEVELS + 1, count, 2)


def derive(alpha: Array, beta: Array, seeds: Array, cipher: Array) -> Corrections:
    """The dealer's part: for alpha below 2^63, (n,), beta, (n, 2), and both parties' seeds, (2, n, 2)."""
    result = Corrections(cipher, *(np.empty(size, dtype=np.uint64) for size in sizes(alpha.size)[1:]))
    encrypt = _cipher(cipher)
    for own in _slices(alpha.size):
        _derive(encrypt, alpha[own], beta[own], seeds[:, own], result.seeds[:, own], result.values[:, own])
    return result


def evaluate(public: Corrections, seed: Array, x: Array, party: int) -> Array:
    """Party 0's or 1's additive share, (n, 2), of beta where x < alpha, else of 0.

    `seed` is the party's own, (n, 2); x is below 2^63, (n,).
    """
    result = np.empty((x.size, 2), dtype=np.uint64)
    encrypt = _cipher(public.cipher)
    for own in _slices(x.size):
        total = _evaluate(encrypt, public.seeds[:, own], public.values[:, own], seed[own], x[own], party)
        result[own] = -total if party else total
    return result


def _derive(
    encrypt: CipherContext, alpha: Array, beta: Array, seeds: Array, to_seeds: Array, to_values: Array
) -> None:
    """V_alpha of figure 1 is `behind`: what the values on the path lack so far."""
    seeds = seeds & _SEED
    bits = np.stack([np.zeros_like(alpha), np.ones_like(alpha)])
    behind = np.zeros_like(beta)
    for level in range(LEVELS):
        right = alpha >> np.uint64(LEVELS - 1 - level) & _ONE
        path, negate = -right[:, None], -bits[1][:, None]
        blocks = _expand(encrypt, seeds)
        swap = (blocks[0] ^ blocks[1]) & path
        # By kind, party, number and word.
        kept, beside = blocks[0] ^ swap, blocks[1] ^ swap
        values = _negative_where(beside[1, 1] - beside[1, 0] - behind + (beta & path), negate)
        behind += kept[1, 0] - kept[1, 1] + _negative_where(values, negate)
        # Of each side: the control bits are to differ on the path, and to be alike beside it.
        differ = (blocks[:, 0, 0, :, 0] ^ blocks[:, 0, 1, :, 0] ^ right) & _ONE
        correction = (beside[0, 0] ^ beside[0, 1]) & _SEED
        correction[:, 0] |= differ[1] << _ONE | differ[0] ^ _ONE
        to_seeds[level], to_values[level] = correction, values
        seeds, bits = _descend(kept[0], correction, right, bits)
    last = _hash(encrypt, seeds | _VALUE)
    to_values[LEVELS] = _negative_where(last[1] - last[0] - behind, -bits[1][:, None])


def _expand(encrypt: CipherContext, seeds: Array) -> Array:
    """All four blocks of both parties' seeds: by side, kind (next seed, value), party, number and word."""
    blocks = np.empty((2, 2, *seeds.shape), dtype=np.uint64)
    blocks[:] = seeds
    blocks[..., 0] |= np.arange(4, dtype=np.uint64).reshape(2, 2, 1, 1)
    return _hash(encrypt, blocks)


def _negative_where(words: Array, negate: Array) -> Array:
    """-words where `negate` is all ones, words where it is zero."""
    return (words ^ negate) - negate


def _evaluate(
    encrypt: CipherContext, seeds: Array, values: Array, seed: Array, x: Array, party: int
) -> Array:
    """What the party adds up, for the second one to be taken as negative."""
    seed = seed & _SEED
    bits = np.full_like(x, party)
    total = np.zeros_like(seed)
    blocks = np.empty((2, *seed.shape), dtype=np.uint64)
    for level in range(LEVELS):
        right = x >> np.uint64(LEVELS - 1 - level) & _ONE
        blocks[:] = seed
        blocks[:, :, 0] |= right << _ONE
        blocks[1, :, 0] |= _ONE
        child, value = _hash(encrypt, blocks)
        total += value
        total += values[level] & -bits[:, None]
        seed, bits = _descend(child, seeds[level], right, bits)
    total += _hash(encrypt, seed | _VALUE)
    total += values[LEVELS] & -bits[:, None]
    return total


def _descend(child: Array, correction: Array, right: Array, bits: Array) -> tuple[Array, Array]:
    """The next seeds and control bits, from the blocks of the side taken, corrected where the bit is one."""
    change = correction & -bits[..., None]
    bits = (child[..., 0] ^ change[..., 0] >> right) & _ONE
    return (child ^ change) & _SEED, bits


def _cipher(key: Array) -> CipherContext:
    # One block at a time is what a permutation is: no text is encrypted here.
    return Cipher(algorithms.AES(key.tobytes()), modes.ECB()).encryptor()  # noqa: S305


def _hash(encrypt: CipherContext, blocks: Array) -> Array:
    """H of every block of two words (uint64, last dimension)."""
    # update_into asks for a block of slack behind the data.
    octets = np.empty(blocks.nbytes + _SLACK, dtype=np.uint8)
    encrypt.update_into(blocks.data.cast("B"), octets.data)
    result: Array = octets[: blocks.nbytes].view(np.uint64).reshape(blocks.shape)
    result ^= blocks
    return result


def _slices(count: int) -> list[slice]:
    return [slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE)]
