"""Polynomials of a ciphertext: Paterson and Stockmeyer's way, with exact scales, in the fewest levels.

Bossuat, Mouchet, Troncoso-Pastoriza and Hubaux, ePrint 2020/1203, section 5: a polynomial is split again and
again into q B_m + r, and each part is asked for at exactly the level and scale at which it will be added.
Degree d takes ceil(log2(d + 1)) levels.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from he.ckks import evaluate
from he.ckks.cipher import Ciphertext
from he.ckks.keys import EvaluationKeys
from he.ckks.ring import Ring

Basis: TypeAlias = Literal["monomial", "chebyshev"]


def evaluate_polynomial(
    keys: EvaluationKeys, x: Ciphertext, coefficients: Sequence[float], basis: Basis = "monomial"
) -> Ciphertext:
    """sum_i coefficients[i] B_i(x) in every slot, B_i = x^i or Chebyshev's T_i, at the scale of x.

    For "chebyshev" the slots of x must lie in [-1, 1]. ValueError for degree 0, for NaN and for a ciphertext
    with fewer levels than needed.
    """
    c = np.trim_zeros(np.array(coefficients, dtype=np.float64), "b")
    if not np.isfinite(c).all():
        raise ValueError("the coefficients hold NaN or infinity, expected finite numbers")
    if len(c) < 2:
        raise ValueError(f"the polynomial has degree {max(len(c) - 1, 0)}, expected at least 1")
    if basis not in ("monomial", "chebyshev"):
        raise ValueError(f"basis is {basis!r}, expected 'monomial' or 'chebyshev'")
    needed = depth(len(c) - 1)
    if x.level < needed:
        raise ValueError(f"level is {x.level}, expected at least {needed} for degree {len(c) - 1}")
    babies = 1 << -(-len(c).bit_length() // 2)
    return _Evaluation(keys, x, basis, babies).combine(c, x.level - needed, x.scale)


def depth(degree: int) -> int:
    """Levels that a polynomial of this degree takes, ceil(log2(degree + 1))."""
    return degree.bit_length()


class _Evaluation:
    """The powers B_i(x) that were needed so far, and the recursion."""

    def __init__(self, keys: EvaluationKeys, x: Ciphertext, basis: Basis, babies: int) -> None:
        self.keys, self.basis, self.babies = keys, basis, babies
        self.powers = {1: x}

    def power(self, i: int) -> Ciphertext:
        """B_i(x) at level x.level - ceil(log2(i)), made from B of half the index."""
        if i not in self.powers:
            a, b = self.power(i - i // 2), self.power(i // 2)
            level, ring = min(a.level, b.level), self.keys.ring
            product = evaluate.multiply_rescale(self.keys, _at(ring, a, level), _at(ring, b, level))
            self.powers[i] = product if self.basis == "monomial" else self._chebyshev(product, i % 2)
        return self.powers[i]

    def _chebyshev(self, product: Ciphertext, difference: int) -> Ciphertext:
        """T_{a+b} = 2 T_a T_b - T_{a-b}, where a - b is 0 or 1."""
        ring = self.keys.ring
        double = evaluate.add(ring, product, product)
        if difference == 0:
            return evaluate.add_scalar(ring, double, -1.0)
        return evaluate.sub(ring, double, match(ring, self.powers[1], product.level, product.scale))

    def combine(self, c: NDArray[np.float64], level: int, scale: float) -> Ciphertext:
        """sum_i c_i B_i at exactly this level and scale."""
        degree = len(c) - 1
        if degree < self.babies and level < self.powers[1].level - (degree - 1).bit_length():
            return self._weighted(c, level, scale)
        m = 1 << (degree.bit_length() - 1)
        q, r = split(c, m, self.basis)
        giant = _at(self.keys.ring, self.power(m), level + 1)
        above = scale * self.keys.ring.params.moduli[level + 1] / giant.scale
        if len(q) == 1:  # q is a number: B_m times it, like any other term
            product = _scaled(self.keys.ring, giant, float(q[0]), level, scale)
        else:
            high = self.combine(q, level + 1, above)
            product = _exact(evaluate.multiply_rescale(self.keys, high, giant), scale)
        return self._plus(product, r, level, scale)

    def _plus(self, x: Ciphertext, c: NDArray[np.float64], level: int, scale: float) -> Ciphertext:
        c = np.trim_zeros(c, "b")
        if len(c) < 2:
            return evaluate.add_scalar(self.keys.ring, x, float(c.sum()))
        return evaluate.add(self.keys.ring, x, self.combine(c, level, scale))

    def _weighted(self, c: NDArray[np.float64], level: int, scale: float) -> Ciphertext:
        """The sum itself, term by term, with one rescaling."""
        ring, total = self.keys.ring, None
        product_scale = scale * ring.params.moduli[level + 1]
        for i in map(int, np.flatnonzero(c[1:]) + 1):
            power = _at(self.keys.ring, self.power(i), level + 1)
            weighted = evaluate.multiply_scalar(ring, power, float(c[i]), product_scale / power.scale)
            term = _exact(weighted, product_scale)
            total = term if total is None else evaluate.add(ring, total, term)
        assert total is not None  # the leading coefficient is not zero
        total = evaluate.add_scalar(ring, total, float(c[0]))
        return _exact(evaluate.rescale(ring, total), scale)


def match(ring: Ring, x: Ciphertext, level: int, scale: float) -> Ciphertext:
    """x brought down to exactly this level and scale: a product with 1 takes up the difference."""
    return _scaled(ring, _at(ring, x, level + 1), 1.0, level, scale)


def split(c: NDArray[np.float64], m: int, basis: Basis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(q, r) with sum_i c_i B_i = q B_m + r, for m <= degree < 2 m; T_m T_i = (T_{m+i} + T_{m-i}) / 2."""
    q, r = c[m:].copy(), c[:m].copy()
    if basis == "chebyshev":
        q[1:] *= 2
        r[m - len(q) + 1 :] -= c[m + 1 :][::-1]
    return q, r


def _scaled(ring: Ring, x: Ciphertext, factor: float, level: int, scale: float) -> Ciphertext:
    """factor x at this scale, one level down."""
    weight = scale * ring.params.moduli[level + 1] / x.scale
    return _exact(evaluate.rescale(ring, evaluate.multiply_scalar(ring, x, factor, weight)), scale)


def _at(ring: Ring, x: Ciphertext, level: int) -> Ciphertext:
    return evaluate.drop(ring, x, level)


def _exact(x: Ciphertext, scale: float) -> Ciphertext:
    """The scale is this one up to float64 rounding: write it down so."""
    return Ciphertext(x.data, x.level, scale)
