"""Encoding: vectors of slots to integer polynomials and back, through the canonical embedding.

Slot j of a polynomial m is m(zeta^(5^j)) / scale, zeta = exp(pi i / N), for j in [0, N/2) (Cheon, Kim, Kim
and Song, ePrint 2016/421, section 2.2).
"""

import math
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he import kernels
from he.ckks.cipher import Plaintext
from he.ckks.ring import Ring, Values

LARGEST_VALUE = 2.0**60
"""Decoding reads as many residues as values below this need; more would only cost time."""


def encode(ring: Ring, values: ArrayLike, level: int, scale: float) -> Plaintext:
    """Real or complex values (d,), d <= N/2, repeated to N/2 slots: for ciphertexts of this level.

    ValueError for more values than slots, none, NaN or infinity, or values too large for the modulus.
    """
    return Plaintext(_encode(ring, values, scale, ring.basis(level)), level, scale)


def encode_extended(ring: Ring, values: ArrayLike, level: int, scale: float) -> Plaintext:
    """The same over Q P, for products before the end of a key switch."""
    return Plaintext(_encode(ring, values, scale, ring.extended(level)), level, scale)


def decode(ring: Ring, plain: Plaintext) -> NDArray[np.complex128]:
    """The slots (N/2,), |values| below 2^60."""
    limbs = limbs_to_read(ring, plain.level, plain.scale)
    basis = ring.basis(limbs - 1)
    coefficients = kernels.intt(plain.poly[:limbs], basis)
    return kernels.embed(kernels.compose(coefficients, plain.scale, basis), ring.embedding)


def limbs_to_read(ring: Ring, level: int, scale: float) -> int:
    """How many of the residues mod q_0, q_1, ... tell values below 2^60 apart."""
    bits, needed = 0.0, math.log2(scale) + math.log2(LARGEST_VALUE) + 1
    for limbs, q in enumerate(ring.params.moduli[: level + 1], start=1):
        bits += math.log2(q)
        if bits > needed:
            return limbs
    return level + 1


def _encode(ring: Ring, values: ArrayLike, scale: float, basis: kernels.Basis) -> Values:
    slots = _slots(values, ring.params.slots)
    coefficients = kernels.unembed(slots, ring.embedding)
    largest = max(coefficients.max(), -coefficients.min())
    if not largest * scale < 2.0 ** min(_room(basis), 1000):  # true for NaN and infinity as well
        _refuse(slots, float(largest) * scale, _room(basis))
    return cast(Values, kernels.round_residues(coefficients, scale, basis, ntt=True))


def _room(basis: kernels.Basis) -> float:
    """Bits below half of the modulus: coefficients beyond would wrap round."""
    return sum(map(math.log2, basis.moduli)) - 1


def _refuse(slots: NDArray[np.complex128], largest: float, room: float) -> None:
    if not np.isfinite(slots).all():
        raise ValueError("values hold NaN or infinity, expected finite numbers")
    raise ValueError(f"values times scale reach {largest:.3g}, expected less than 2^{room:.0f}")


def _slots(values: ArrayLike, slots: int) -> NDArray[np.complex128]:
    """All slots: the values repeated."""
    given = np.asarray(values, dtype=np.complex128)
    if given.ndim != 1 or not 1 <= len(given) <= slots:
        raise ValueError(f"values have shape {given.shape}, expected (d,) with 1 <= d <= {slots}")
    return given if len(given) == slots else np.resize(given, slots)
