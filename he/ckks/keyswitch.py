"""Key switching: relinearisation, rotations, conjugation; many rotations of a ciphertext share their work."""

from collections.abc import Sequence
from typing import cast

from he import kernels
from he.ckks.cipher import Ciphertext
from he.ckks.keys import EvaluationKeys
from he.ckks.ring import Values


def rotate(keys: EvaluationKeys, x: Ciphertext, steps: int) -> Ciphertext:
    """x with its slots rotated left; ValueError without a key for it."""
    return automorphism(keys, x, keys.ring.galois(steps))


def conjugate(keys: EvaluationKeys, x: Ciphertext) -> Ciphertext:
    """x with its slots conjugated; ValueError without a key for it."""
    return automorphism(keys, x, keys.ring.conjugation)


def automorphism(keys: EvaluationKeys, x: Ciphertext, k: int) -> Ciphertext:
    """X -> X^k applied to what is encrypted: c_1 is switched to s(X^(1/k)), then X -> X^k to both halves."""
    if k == 1:
        return x
    gadget = keys.ring.gadget(x.level)
    data = kernels.key_switch(x.data[1], keys.automorphism(k), gadget, k, x.data[:1])
    return Ciphertext(cast(Values, data), x.level, x.scale)


def rotate_many(keys: EvaluationKeys, x: Ciphertext, steps: Sequence[int]) -> list[Ciphertext]:
    """x rotated left by each number of slots, with one decomposition for all (hoisting).

    Halevi and Shoup, ePrint 2018/244, section 5.
    """
    exponents = [keys.ring.galois(k) for k in steps]
    moved = [k for k in exponents if k != 1]
    if not moved:
        return [x] * len(steps)
    gadget = keys.ring.gadget(x.level)
    digits = kernels.decompose(x.data[1], gadget)
    table = [keys.automorphism(k) for k in moved]
    results = iter(kernels.key_switch_digits(digits, table, gadget, moved, x.data[:1]))
    return [x if k == 1 else Ciphertext(cast(Values, next(results)), x.level, x.scale) for k in exponents]


def relinearise(keys: EvaluationKeys, parts: Values, level: int, rescale: bool = False) -> Values:
    """(d_0, d_1, d_2), meaning d_0 + d_1 s + d_2 s^2, as a pair: (3, level + 1, N) -> (2, level + 1, N).

    With `rescale` it is divided by q_level as well, in one rounding with the division by P: (2, level, N).
    """
    gadget, key = keys.ring.gadget(level), keys.relinearisation.data
    return cast(Values, kernels.key_switch(parts[2], key, gadget, addend=parts[:2], rescale=rescale))
