"""Hybrid key switching: decompose into digits, multiply with the key, divide by the special primes.

Han and Ki, ePrint 2019/688. A level has l moduli q_0 .. q_{l-1}, followed by K special primes of product P.
Digit j is made of the moduli j a .. min((j + 1) a, l) - 1 with a = `digit_limbs`, and the key holds for each
digit an encryption of g_j s', where g_j = P modulo the primes of digit j and 0 modulo every other prime; so
one key serves every level.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from he.kernels.reference.basis import convert, mod_down
from he.kernels.reference.ring import U64, automorphism_ntt, column, intt, ntt


def digit_ranges(level_limbs: int, digit_limbs: int) -> list[tuple[int, int]]:
    """First and past-the-last limb of each digit; the last digit may be shorter."""
    return [(i, min(i + digit_limbs, level_limbs)) for i in range(0, level_limbs, digit_limbs)]


def decompose(x: U64, moduli: Sequence[int], special: int, digit_limbs: int) -> U64:
    """All digits of x, raised to every modulus: NTT values (l, N) -> NTT values (digits, l + K, N)."""
    level = moduli[:-special]
    coefficients = intt(x, level)
    digits = []
    for first, last in digit_ranges(len(level), digit_limbs):
        raised = ntt(convert(coefficients[first:last], moduli[first:last], moduli), moduli)
        raised[first:last] = x[first:last]
        digits.append(raised)
    return np.stack(digits)


def inner_product(
    digits: U64,
    key: U64,
    moduli: Sequence[int],
    special: int,
    galois: int = 1,
    addend: U64 | None = None,
) -> U64:
    """sum_j digit_j key_j + P addend for both components, then X -> X^galois, over Q P. NTT values.

    (digits, l + K, N) -> (2, l + K, N). key has shape (D, 2, L + K, N) with D >= digits and L >= l: of its
    limbs the first l and the last K are used. addend has shape (1, l, N), for the first component only, or
    (2, l, N); P is zero in the special limbs.
    """
    level = digits.shape[1] - special
    rows = [*range(level), *range(key.shape[2] - special, key.shape[2])]
    total = sum(d[None].astype(object) * k[:, rows] for d, k in zip(digits, key, strict=False))
    if addend is not None:
        total[: len(addend), :level] += addend.astype(object) * prod(moduli[level:])
    return automorphism_ntt(np.asarray(total % column(moduli)).astype(np.uint64), galois)


def key_switch_digits(
    digits: U64,
    key: U64,
    moduli: Sequence[int],
    special: int,
    galois: int = 1,
    addend: U64 | None = None,
    rescale: bool = False,
) -> U64:
    """(inner_product + P addend) / P, or / (P q_{l-1}) with `rescale`, rounded once; then X -> X^galois.

    (digits, l + K, N) -> (2, l, N), or (2, l - 1, N) with `rescale`; NTT values.
    """
    total = inner_product(digits, key, moduli, special, 1, addend)
    return automorphism_ntt(mod_down(total, moduli, special + rescale), galois)


def key_switch(
    x: U64,
    key: U64,
    moduli: Sequence[int],
    special: int,
    digit_limbs: int,
    galois: int = 1,
    addend: U64 | None = None,
    rescale: bool = False,
) -> U64:
    """The whole key switch of one polynomial, NTT values (l, N): decompose, then `key_switch_digits`."""
    digits = decompose(x, moduli, special, digit_limbs)
    return key_switch_digits(digits, key, moduli, special, galois, addend, rescale)
