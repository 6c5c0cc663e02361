"""Random polynomials from a 32-byte seed: the ChaCha20 stream, uniform residues, and samplers by thresholds.

Every random object is a function of (seed, stream, ...): the keystream of RFC 8439 under the seed as the key,
block counter from 0, and the nonce LE32(stream) || LE64(label). It is read as little-endian 64-bit words w_0,
w_1, ... The label is the modulus for uniform residues, and a small number, which is no modulus, for the
samplers: so no two objects share keystream.
"""

import struct
from collections.abc import Sequence
from fractions import Fraction
from functools import cache

import numpy as np
import numpy.typing as npt

from he.kernels.reference.ring import U64

I64 = npt.NDArray[np.int64]

LABEL_SAMPLE = 1
TERNARY_THRESHOLDS = (-(-(1 << 64) // 3), -(-(2 << 64) // 3))

_ROUND = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONAL = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def chacha20_block(key: bytes, counter: int, nonce: bytes) -> bytes:
    """One 64-byte block of keystream (RFC 8439, section 2.3)."""
    start = [
        *struct.unpack("<4I", b"expand 32-byte k"),
        *struct.unpack("<8I", key),
        counter,
        *struct.unpack("<3I", nonce),
    ]
    state = list(start)
    for _ in range(10):
        for quarter in _ROUND + _DIAGONAL:
            _quarter_round(state, *quarter)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(state, start, strict=True)))


def _quarter_round(s: list[int], a: int, b: int, c: int, d: int) -> None:
    """RFC 8439, section 2.1."""
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        mixed = s[z] ^ s[x]
        s[z] = ((mixed << turn) | (mixed >> (32 - turn))) & 0xFFFFFFFF


def nonce(stream: int, label: int) -> bytes:
    """LE32(stream) || LE64(label)."""
    return struct.pack("<IQ", stream, label)


def words(seed: bytes, stream: int, label: int, n: int) -> list[int]:
    """The first n words of a keystream."""
    blocks = (chacha20_block(seed, i, nonce(stream, label)) for i in range(-(-n // 8)))
    return [w for block in blocks for w in struct.unpack("<8Q", block)][:n]


def uniform(seed: bytes, stream: int, n: int, moduli: Sequence[int]) -> U64:
    """Independent uniform residues, shape (limbs, N): public data, so the rejections may show in the timing.

    Row q: of the words under label q, those below q floor(2^64 / q) are taken in order, each modulo q.
    """
    return np.array([_uniform_row(seed, stream, n, q) for q in moduli], dtype=np.uint64)


def _uniform_row(seed: bytes, stream: int, n: int, q: int) -> list[int]:
    out: list[int] = []
    limit = (1 << 64) // q * q
    counter = 0
    while len(out) < n:
        block = struct.unpack("<8Q", chacha20_block(seed, counter, nonce(stream, q)))
        out += [w % q for w in block if w < limit]
        counter += 1
    return out[:n]


def sample(seed: bytes, stream: int, n: int, thresholds: Sequence[int], offset: int) -> I64:
    """n independent integers: the number of thresholds t with w_i >= t, minus offset. One word each, shape
    (N,).

    Inversion of the cumulative distribution on 64 bits; every threshold is compared for every word, so the
    time tells nothing.
    """
    drawn = np.array(words(seed, stream, LABEL_SAMPLE, n), dtype=np.uint64)
    at_least = drawn[:, None] >= np.array(thresholds, dtype=np.uint64)
    return np.asarray(at_least.sum(axis=1), dtype=np.int64) - offset


def ternary(seed: bytes, stream: int, n: int) -> I64:
    """Uniform on {-1, 0, 1}: thresholds ceil(2^64 / 3) and ceil(2^65 / 3), each probability within 2^-64 of a
    third.
    """
    return sample(seed, stream, n, TERNARY_THRESHOLDS, 1)


def gaussian(seed: bytes, stream: int, n: int, sigma: float) -> I64:
    """The discrete Gaussian of density exp(-x^2 / (2 sigma^2)), cut where its tail weighs less than 2^-64."""
    thresholds = gaussian_thresholds(sigma)
    return sample(seed, stream, n, thresholds, len(thresholds) // 2)


@cache
def gaussian_thresholds(sigma: float) -> tuple[int, ...]:
    """round(2^64 P(X <= x)) for x = -T .. T - 1, exact to the last bit, T the smallest that leaves no weight
    outside.

    Symmetric: P(X <= -x - 1) + P(X <= x) = 1 holds for the rounded numbers as well.
    """
    weights = [_exp(-Fraction(x * x) / (2 * Fraction(sigma) ** 2)) for x in range(round(14 * sigma) + 2)]
    total = 2 * sum(weights) - weights[0]
    lower, tail = [], Fraction(0)
    for weight in reversed(weights[1:]):
        tail += weight
        lower.append(round((tail / total) * (1 << 64)))
    lower = [t for t in lower if t > 0]
    return (*lower, *((1 << 64) - t for t in reversed(lower)))


def _exp(x: Fraction) -> Fraction:
    """exp(x) for x <= 0 to 192 binary digits: the series of exp(x / 2^k), squared k times."""
    k, digits = 12, 1 << 256
    small, term, total = x / (1 << k), Fraction(1), Fraction(1)
    for i in range(1, 40):
        term = Fraction(round(term * small / i * digits), digits)
        total += term
    for _ in range(k):
        total = Fraction(round(total * total * digits), digits)
    return total


def lift(values: I64, moduli: Sequence[int]) -> U64:
    """Signed integers to residues: (..., N) -> (..., limbs, N)."""
    return np.stack([(values.astype(object) % q).astype(np.uint64) for q in moduli], axis=-2)
