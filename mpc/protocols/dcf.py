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
_ONE = np.uint64(1)
# What of a block's low word is seed.
_SEED = ~np.uint64(3)
# The j of what is drawn, by side and kind (next seed, value); by kind on the left; from the last seeds.
_BLOCKS = np.arange(4, dtype=np.uint64).reshape(2, 2, 1, 1)
_KINDS = np.arange(2, dtype=np.uint64).reshape(2, 1)
_LAST = np.ones(1, dtype=np.uint64)
_SLACK = algorithms.AES.block_size // 8 - 1


class Corrections(NamedTuple):
    """What both parties know of n keys, all uint64.

    cipher: E's key, (2,). seeds: (LEVELS, 2, n). values: (LEVELS + 1, 2, n), the last ones of the last seeds.
    """

    cipher: Array
    seeds: Array
    values: Array


def sizes(count: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of the parts of Corrections for `count` keys."""
    return (2,), (LEVELS, 2, count), (LEVELS + 1, 2, count)


def derive(alpha: Array, beta: Array, seeds: Array, cipher: Array) -> Corrections:
    """The dealer's part: for alpha below 2^63, (n,), beta, (2, n), and both parties' seeds, (2, 2, n).

    V_alpha of the paper's figure is `behind`: what the values on the path lack so far.
    """
    result = Corrections(cipher, *(np.empty(size, dtype=np.uint64) for size in sizes(alpha.size)[1:]))
    encrypt = _cipher(cipher)
    # From here on a block's word is the first dimension, the party the second.
    seeds = _only_seed(seeds.swapaxes(0, 1).copy())
    bits = np.stack([np.zeros_like(alpha), np.ones_like(alpha)])
    behind = np.zeros_like(beta)
    for level in range(LEVELS):
        right = alpha >> np.uint64(LEVELS - 1 - level) & _ONE
        path, negate = -right, -bits[1]
        # By word, side, kind, party and number.
        blocks = _draw(encrypt, seeds[:, None, None], _BLOCKS)
        swap = (blocks[:, 0] ^ blocks[:, 1]) & path
        kept, beside = blocks[:, 0] ^ swap, blocks[:, 1] ^ swap
        values = _negative_where(beside[:, 1, 1] - beside[:, 1, 0] - behind + (beta & path), negate)
        behind += kept[:, 1, 0] - kept[:, 1, 1] + _negative_where(values, negate)
        # Of each side: the control bits are to differ on the path, and to be alike beside it.
        differ = (blocks[0, :, 0, 0] ^ blocks[0, :, 0, 1] ^ right) & _ONE
        correction = _only_seed(beside[:, 0, 0] ^ beside[:, 0, 1])
        correction[0] |= differ[1] << _ONE | differ[0] ^ _ONE
        result.seeds[level], result.values[level] = correction, values
        seeds, bits = _descend(kept[:, 0], correction[:, None], right, bits)
    last = _draw(encrypt, seeds, _LAST)
    result.values[LEVELS] = _negative_where(last[:, 1] - last[:, 0] - behind, -bits[1])
    return result


def evaluate(public: Corrections, seed: Array, x: Array, party: int) -> Array:
    """Party 0's or 1's additive share, (2, n), of beta where x < alpha, else of 0.

    `seed` is the party's own, (2, n); x is below 2^63, (n,).
    """
    encrypt = _cipher(public.cipher)
    seed = _only_seed(seed.copy())
    bits = np.full_like(x, party)
    total = np.zeros_like(seed)
    for level in range(LEVELS):
        right = x >> np.uint64(LEVELS - 1 - level) & _ONE
        # By word, kind and number.
        blocks = _draw(encrypt, seed[:, None], right << _ONE | _KINDS)
        total += blocks[:, 1]
        total += public.values[level] & -bits
        seed, bits = _descend(blocks[:, 0], public.seeds[level], right, bits)
    total += _draw(encrypt, seed, _LAST)
    total += public.values[LEVELS] & -bits
    return -total if party else total


def _descend(child: Array, correction: Array, right: Array, bits: Array) -> tuple[Array, Array]:
    """The next seeds and control bits, from the blocks of the side taken, corrected where the bit is one."""
    change = correction & -bits
    bits = (child[0] ^ change[0] >> right) & _ONE
    return _only_seed(child ^ change), bits


def _only_seed(blocks: Array) -> Array:
    """`blocks`, in place, without what stands below the seeds."""
    blocks[0] &= _SEED
    return blocks


def _negative_where(words: Array, negate: Array) -> Array:
    """-words where `negate` is all ones, words where it is zero."""
    return (words ^ negate) - negate


def _cipher(key: Array) -> CipherContext:
    # One block at a time is what a permutation is: no text is encrypted here.
    return Cipher(algorithms.AES(key.tobytes()), modes.ECB()).encryptor()  # noqa: S305


def _draw(encrypt: CipherContext, seeds: Array, which: Array) -> Array:
    """H(s + j) for seeds s and the j in `which`, which go together as numpy's rules say."""
    low = seeds[0] | which
    blocks = np.empty((*low.shape, 2), dtype=np.uint64)
    blocks[..., 0], blocks[..., 1] = low, seeds[1]
    # update_into asks for a block of slack behind the data.
    octets = np.empty(blocks.nbytes + _SLACK, dtype=np.uint8)
    encrypt.update_into(blocks.data.cast("B"), octets.data)
    encrypted = octets[: blocks.nbytes].view(np.uint64).reshape(blocks.shape)
    result = np.empty((2, *low.shape), dtype=np.uint64)
    np.bitwise_xor(encrypted[..., 0], low, out=result[0])
    np.bitwise_xor(encrypted[..., 1], seeds[1], out=result[1])
    return result
