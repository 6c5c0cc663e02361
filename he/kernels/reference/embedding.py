"""The encoder: the canonical embedding as a special FFT, rounding into residues, and the way back.

Slot j of a real polynomial c of degree < N is c(zeta^(5^j)), zeta = exp(pi i / N), for j in [0, N/2). With n
= N/2 and w_k = c_k + i c_{k+n} this is w(zeta^(5^j)), because zeta^(n 5^j) = i. The n points are the roots of
Y^n - i, so the transform is the Cooley-Tukey tower of the NTT over the complex numbers. The order of
operations is fixed: a complex product is (a c - b d, a d + b c), every product and sum rounded on its own,
none fused: so the bits are the same on every path.
"""

from functools import cache
from math import cos, pi, prod, sin

import numpy as np
import numpy.typing as npt

from he.kernels.reference.ring import U64, bit_reverse, column

F64 = npt.NDArray[np.float64]
C128 = npt.NDArray[np.complex128]


@cache
def roots(n: int) -> tuple[F64, F64]:
    """Real and imaginary parts of the twiddles, shape (n,): those of the level with m blocks at m .. 2m - 1.

    Block b of that level splits Y^t - c into Y^(t/2) -+ zeta^e with e = n (1 + 4 brv(b)) / (2 m), brv over
    log2 m bits.
    """
    re, im = np.ones(n), np.zeros(n)
    m = 1
    while m < n:
        for b in range(m):
            e = n * (1 + 4 * bit_reverse(b, m.bit_length() - 1)) // (2 * m)
            re[m + b], im[m + b] = _unit(e, 2 * n)
        m *= 2
    return re, im


def _unit(e: int, n: int) -> tuple[float, float]:
    """exp(pi i e / n) for 0 <= e < n, from angles of at most pi / 4, so that its symmetries hold exactly."""
    if 2 * e > n:
        c, s = _unit(n - e, n)
        return -c, s
    if 4 * e > n:
        s, c = _unit(n // 2 - e, n)
        return c, s
    return cos(pi * e / n), sin(pi * e / n)


@cache
def slot_order(n: int) -> npt.NDArray[np.int64]:
    """Where the tower leaves each slot, shape (n,): leaf[slot_order[j]] = w(zeta^(5^j)).

    Leaf b is w at exponent 1 + 4 brv(b) modulo 4n, brv over log2 n bits.
    """
    bits = n.bit_length() - 1
    return np.array([bit_reverse((pow(5, j, 4 * n) - 1) // 4, bits) for j in range(n)], dtype=np.int64)


def embed(coefficients: F64) -> C128:
    """Slots of real polynomials: (..., N) -> (..., N/2) complex."""
    n = coefficients.shape[-1] // 2
    re, im = coefficients[..., :n], coefficients[..., n:]
    root_re, root_im = roots(n)
    m = 1
    while m < n:
        shape = (*re.shape[:-1], m, 2, -1)
        a, b = re.reshape(shape), im.reshape(shape)
        c, d = root_re[m : 2 * m, None], root_im[m : 2 * m, None]
        x, y = a[..., 1, :] * c - b[..., 1, :] * d, a[..., 1, :] * d + b[..., 1, :] * c
        re = np.stack([a[..., 0, :] + x, a[..., 0, :] - x], axis=-2).reshape(re.shape)
        im = np.stack([b[..., 0, :] + y, b[..., 0, :] - y], axis=-2).reshape(im.shape)
        m *= 2
    out = np.empty(re.shape, dtype=np.complex128)
    out.real, out.imag = re[..., slot_order(n)], im[..., slot_order(n)]
    return out


def unembed(slots: C128) -> F64:
    """Inverse of `embed`: (..., N/2) complex -> the real coefficients (..., N)."""
    n = slots.shape[-1]
    re, im = np.empty(slots.shape), np.empty(slots.shape)
    re[..., slot_order(n)], im[..., slot_order(n)] = slots.real, slots.imag
    root_re, root_im = roots(n)
    m = n
    while m > 1:
        m //= 2
        shape = (*re.shape[:-1], m, 2, -1)
        a, b = re.reshape(shape), im.reshape(shape)
        c, d = root_re[m : 2 * m, None], -root_im[m : 2 * m, None]
        x, y = a[..., 0, :] - a[..., 1, :], b[..., 0, :] - b[..., 1, :]
        re = np.stack([a[..., 0, :] + a[..., 1, :], x * c - y * d], axis=-2).reshape(re.shape)
        im = np.stack([b[..., 0, :] + b[..., 1, :], x * d + y * c], axis=-2).reshape(im.shape)
    return np.concatenate([re * (1.0 / n), im * (1.0 / n)], axis=-1)


def round_residues(x: F64, scale: float, moduli: list[int] | tuple[int, ...]) -> U64:
    """rint(x scale) mod q, product rounded to a double, ties to even: (..., N) -> (..., limbs, N)."""
    integers = np.array([int(v) for v in np.rint(x * scale).ravel()], dtype=object).reshape(x.shape)
    return np.stack([(integers % q).astype(np.uint64) for q in moduli], axis=-2)


def compose(x: U64, scale: float, moduli: list[int] | tuple[int, ...]) -> F64:
    """The centred integer c in (-Q/2, Q/2) behind the residues, rounded to a double, divided by scale: (...,
    limbs, N) -> (..., N).
    """
    q = prod(moduli)
    hat = column([q // p for p in moduli])
    inverse = column([pow(q // p, -1, p) for p in moduli])
    value = (x.astype(object) * inverse % column(moduli) * hat).sum(axis=-2) % q
    centred = np.where(value > q // 2, value - q, value)
    return np.asarray(centred.astype(np.float64) / scale)
