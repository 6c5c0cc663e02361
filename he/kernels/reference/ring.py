"""The ring Z_q[X]/(X^N + 1), one modulus a row: primes, roots, the NTT, element-wise arithmetic,
automorphisms.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]

# Deterministic for every number below 3.3e24 (Sorenson and Webster, 2015).
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)


def is_prime(q: int) -> bool:
    """Miller-Rabin with fixed bases, a proof for q < 2^64."""
    if q < 2 or any(q % p == 0 for p in _WITNESSES):
        return q in _WITNESSES
    odd, twos = q - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(q, a, odd, twos) for a in _WITNESSES)


def _passes(q: int, a: int, odd: int, twos: int) -> bool:
    x = pow(a, odd, q)
    return x == 1 or any(pow(x, 1 << i, q) == q - 1 for i in range(twos))


def primitive_root(n: int, q: int) -> int:
    """psi = g^((q-1)/2N) for the smallest g >= 2 that gives psi^N = -1: a primitive 2N-th root of unity mod
    q.
    """
    for g in range(2, q):
        psi = pow(g, (q - 1) // (2 * n), q)
        if pow(psi, n, q) == q - 1:
            return psi
    raise ValueError(f"no primitive {2 * n}-th root of unity modulo {q}")


def bit_reverse(i: int, bits: int) -> int:
    """The number whose `bits` binary digits are those of i in the opposite order."""
    return int(format(i, f"0{bits}b")[::-1], 2) if bits else 0


def _twiddles(n: int, q: int) -> npt.NDArray[Any]:
    """psi^brv(i) for i in [0, N); the level with m blocks uses entries m .. 2m - 1."""
    bits, psi = n.bit_length() - 1, primitive_root(n, q)
    powers = [1] * n
    for i in range(1, n):
        powers[i] = powers[i - 1] * psi % q
    return np.array([powers[bit_reverse(i, bits)] for i in range(n)], dtype=object)


def _by_row(x: U64, moduli: Sequence[int], f: Any) -> U64:
    """Apply f(row of Python integers, q) to every row of x, shape (..., limbs, N)."""
    rows = x.reshape(-1, len(moduli), x.shape[-1])
    out = [[f(row.astype(object), q) for row, q in zip(poly, moduli, strict=True)] for poly in rows]
    return np.array(out, dtype=np.uint64).reshape(x.shape)


def ntt(x: U64, moduli: Sequence[int]) -> U64:
    """Forward negacyclic NTT of each row: out[j] = x(psi^(2 brv(j) + 1)), brv over log2 N bits.

    Longa and Naehrig, ePrint 2016/504, Algorithm 1 (Cooley-Tukey, natural order in, bit-reversed order out).
    """
    return _by_row(x, moduli, _ntt_row)


def _ntt_row(a: npt.NDArray[Any], q: int) -> npt.NDArray[Any]:
    n, m = len(a), 1
    w = _twiddles(n, q)
    while m < n:
        halves = a.reshape(m, 2, -1)
        u, v = halves[:, 0], halves[:, 1] * w[m : 2 * m, None] % q
        a = np.stack([(u + v) % q, (u - v) % q], axis=1).reshape(n)
        m *= 2
    return a


def intt(x: U64, moduli: Sequence[int]) -> U64:
    """Inverse of `ntt`: bit-reversed order in, coefficients out (ibid., Algorithm 2, Gentleman-Sande)."""
    return _by_row(x, moduli, _intt_row)


def _intt_row(a: npt.NDArray[Any], q: int) -> npt.NDArray[Any]:
    n = m = len(a)
    w = np.array([pow(int(v), -1, q) for v in _twiddles(n, q)], dtype=object)
    while m > 1:
        m //= 2
        halves = a.reshape(m, 2, -1)
        u, v = halves[:, 0], halves[:, 1]
        a = np.stack([(u + v) % q, (u - v) * w[m : 2 * m, None] % q], axis=1).reshape(n)
    return a * pow(n, -1, q) % q


def column(moduli: Sequence[int]) -> npt.NDArray[Any]:
    """The numbers as a column of Python integers, shape (limbs, 1)."""
    return np.array([int(q) for q in moduli], dtype=object)[:, None]


def _reduced(values: npt.NDArray[Any], moduli: Sequence[int]) -> U64:
    return np.asarray(values % column(moduli)).astype(np.uint64)


def add(x: U64, y: U64, moduli: Sequence[int]) -> U64:
    """x + y mod q; y may lack the leading axes of x."""
    return _reduced(x.astype(object) + y, moduli)


def sub(x: U64, y: U64, moduli: Sequence[int]) -> U64:
    """x - y mod q; y may lack the leading axes of x."""
    return _reduced(x.astype(object) - y, moduli)


def neg(x: U64, moduli: Sequence[int]) -> U64:
    """-x mod q."""
    return _reduced(-x.astype(object), moduli)


def mul(x: U64, y: U64, moduli: Sequence[int]) -> U64:
    """x y mod q, entry by entry; y may lack the leading axes of x."""
    return _reduced(x.astype(object) * y, moduli)


def mul_add(x: U64, y: U64, z: U64, moduli: Sequence[int]) -> U64:
    """x y + z mod q, entry by entry; y may lack the leading axes of x, z has the shape of x."""
    return _reduced(x.astype(object) * y + z, moduli)


def tensor(x: U64, y: U64, moduli: Sequence[int]) -> U64:
    """(x0 y0, x0 y1 + x1 y0, x1 y1) mod q, entry by entry: (2, limbs, N) twice -> (3, limbs, N)."""
    (a, b), (c, d) = x.astype(object), y.astype(object)
    return np.stack([_reduced(v, moduli) for v in (a * c, a * d + b * c, b * d)])


def add_scalar(x: U64, scalars: Sequence[int], moduli: Sequence[int]) -> U64:
    """x + s mod q with one integer s per modulus."""
    return _reduced(x.astype(object) + column(scalars), moduli)


def mul_scalar(x: U64, scalars: Sequence[int], moduli: Sequence[int]) -> U64:
    """x s mod q with one integer s per modulus."""
    return _reduced(x.astype(object) * column(scalars), moduli)


def automorphism(x: U64, k: int, moduli: Sequence[int]) -> U64:
    """x(X) -> x(X^k) on coefficients, k odd: coefficient i moves to i k mod N, negated if i k mod 2N >= N."""
    n = x.shape[-1]
    target = np.arange(n) * (k % (2 * n)) % (2 * n)
    out = np.zeros(x.shape, dtype=object)
    out[..., target % n] = np.where(target < n, x.astype(object), -x.astype(object))
    return _reduced(out, moduli)


def automorphism_ntt(x: U64, k: int) -> U64:
    """x(X) -> x(X^k) on NTT values, k odd: a permutation, the same for every modulus.

    out[j] = x[i] where 2 brv(i) + 1 = k (2 brv(j) + 1) mod 2N.
    """
    n = x.shape[-1]
    bits = n.bit_length() - 1
    brv = np.array([bit_reverse(i, bits) for i in range(n)])
    source = brv[(k % (2 * n)) * (2 * brv + 1) % (2 * n) >> 1]
    return np.ascontiguousarray(x[..., source])
