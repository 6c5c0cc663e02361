"""Predicted noise: the variance that each operation adds to the coefficients of what is encrypted.

The average-case analysis of Costache, Curtis, Hales, Murphy, Ogilvie and Player (ePrint 2022/162), for
uniform ternary secrets: coefficients of the error are taken as independent, a slot as the sum of N of them.
"""

import math

from he.ckks.params import SIGMA, CkksParams

TAIL = 24.0
"""A bound is this many standard deviations of a slot's real part.

A slot of r s, rounding errors times the secret, is a product of two complex Gaussians: it exceeds t times its
root mean square with probability 2 t K_1(2 t), about sqrt(pi t) exp(-2 t). For t = 17 this is below 2^-46, so
that no slot of 2^16 passes sqrt(2) 17 = 24 deviations but with probability 2^-30. A single Gaussian has less.
"""
_ROUNDING = 1 / 12  # variance of a uniform rounding error in [-1/2, 1/2]


def norm_of_secret(params: CkksParams) -> float:
    """The expected squared norm of s: two thirds of its coefficients are +1 or -1."""
    return params.n * 2 / 3


def encoding(params: CkksParams) -> float:
    """Rounding a plaintext to integers.

    The polynomial of real slots is antisymmetric, and so are its rounding errors: all of their energy falls
    on the real parts, twice what `slot_deviation` takes as their share.
    """
    return 2 * _ROUNDING


def fresh(params: CkksParams) -> float:
    """Encryption under the secret key: e."""
    return SIGMA**2


def fresh_public(params: CkksParams) -> float:
    """Encryption under the public key: e v + e_0 + e_1 s, divided by a special prime, and the rounding."""
    before = SIGMA**2 * (2 * norm_of_secret(params) + 1)
    return before / params.special[0] ** 2 + rounding(params)


def rounding(params: CkksParams) -> float:
    """Dividing both halves of a ciphertext, rounding: r_0 + r_1 s."""
    return _ROUNDING * (1 + norm_of_secret(params))


def key_switch(params: CkksParams, level: int) -> float:
    """A key switch without its rounding: sum_j d_j e_j / P over the digits d_j, centred, of size D_j."""
    log_p = math.fsum(map(math.log2, params.special))
    moduli, step = params.moduli[: level + 1], params.digit_primes
    digits = [moduli[i : i + step] for i in range(0, len(moduli), step)]
    sizes = (2.0 ** (2 * (math.fsum(map(math.log2, digit)) - log_p)) for digit in digits)
    return params.n * SIGMA**2 * _ROUNDING * math.fsum(sizes)


def slot_deviation(params: CkksParams, variance: float, scale: float) -> float:
    """Standard deviation of the real part of a slot for a coefficient variance."""
    return math.sqrt(params.n * variance / 2) / scale


def bits(deviation: float) -> float:
    """Bits of precision behind the point that a slot of this deviation keeps, by the bound."""
    return -math.log2(TAIL * deviation) if deviation else math.inf
