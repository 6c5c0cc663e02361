"""Polynomials out of an engine's smaller verbs, for engines without a faster way of their own.

The same recursion as `he.ckks.poly`, with the same levels and scales: Paterson and Stockmeyer's splitting in
the Chebyshev basis, each part asked for at exactly the level and scale at which it is added (Bossuat,
Mouchet, Troncoso-Pastoriza and Hubaux, ePrint 2020/1203, section 5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from he.ckks.params import CkksParams
from he.ckks.poly import depth, split
from he.kernels import IntegerMatrix

Cipher = TypeVar("Cipher")


class Arithmetic(Protocol[Cipher]):
    """The smaller verbs, as `he.engines.engine.Evaluator` has them."""

    def add(self, x: Cipher, y: Cipher) -> Cipher:
        """x + y."""

    def add_number(self, x: Cipher, value: float) -> Cipher:
        """x + value in every slot."""

    def multiply(self, x: Cipher, y: Cipher) -> Cipher:
        """x y, rescaled."""

    def drop(self, x: Cipher, level: int) -> Cipher:
        """x at a lower level."""

    def affine(
        self, xs: Sequence[Cipher], matrix: IntegerMatrix, bias: NDArray[np.float64], scale: float
    ) -> list[Cipher]:
        """Weighted sums, rescaled, plus numbers."""


@dataclass(frozen=True)
class Leveled(Generic[Cipher]):
    """A ciphertext whose level and scale are known, whatever the engine calls them."""

    cipher: Cipher
    level: int
    scale: float


def evaluate(
    engine: Arithmetic[Cipher], params: CkksParams, x: Leveled[Cipher], coefficients: Sequence[float]
) -> Cipher:
    """sum_k coefficients[k] T_k(x) for slots in [-1, 1], ceil(log2(degree + 1)) levels down, at x's scale.

    ValueError for degree 0, for NaN and for a ciphertext with fewer levels than needed.
    """
    c = np.trim_zeros(np.array(coefficients, dtype=np.float64), "b")
    if not np.isfinite(c).all():
        raise ValueError("the coefficients hold NaN or infinity, expected finite numbers")
    if len(c) < 2:
        raise ValueError(f"the polynomial has degree {max(len(c) - 1, 0)}, expected at least 1")
    needed = depth(len(c) - 1)
    if x.level < needed:
        raise ValueError(f"level is {x.level}, expected at least {needed} for degree {len(c) - 1}")
    babies = 1 << -(-len(c).bit_length() // 2)
    return _Evaluation(engine, params, x, babies).combine(c, x.level - needed, x.scale).cipher


class _Evaluation(Generic[Cipher]):
    """The T_i(x) that were needed so far, and the recursion."""

    def __init__(
        self, engine: Arithmetic[Cipher], params: CkksParams, x: Leveled[Cipher], babies: int
    ) -> None:
        self.engine, self.params, self.babies = engine, params, babies
        self.powers = {1: x}

    def power(self, i: int) -> Leveled[Cipher]:
        """T_i(x) at level x.level - ceil(log2(i)): 2 T_a T_b - T_{a-b} for halves a, b of i."""
        if i not in self.powers:
            product = self.product(self.power(i - i // 2), self.power(i // 2))
            double = Leveled(self.engine.add(product.cipher, product.cipher), product.level, product.scale)
            if i % 2 == 0:
                self.powers[i] = self.plus_number(double, -1.0)
            else:
                minus = self.weighted({1: -1.0}, 0.0, product.level, product.scale)
                self.powers[i] = self.plus(double, minus)
        return self.powers[i]

    def product(self, x: Leveled[Cipher], y: Leveled[Cipher]) -> Leveled[Cipher]:
        """x y at the lower of their levels, rescaled."""
        level = min(x.level, y.level)
        cipher = self.engine.multiply(self.engine.drop(x.cipher, level), self.engine.drop(y.cipher, level))
        return Leveled(cipher, level - 1, x.scale * y.scale / self.params.moduli[level])

    def combine(self, c: NDArray[np.float64], level: int, scale: float) -> Leveled[Cipher]:
        """sum_i c_i T_i at exactly this level and scale."""
        degree = len(c) - 1
        if degree < self.babies and level < self.powers[1].level - (degree - 1).bit_length():
            terms = {int(i): float(c[i]) for i in np.flatnonzero(c[1:]) + 1}
            return self.weighted(terms, float(c[0]), level, scale)
        m = 1 << (degree.bit_length() - 1)
        q, r = split(c, m, "chebyshev")
        if len(q) == 1:  # q is a number: T_m times it, like any other term
            product = self.weighted({m: float(q[0])}, 0.0, level, scale)
        else:
            giant = self.power(m)
            above = scale * self.params.moduli[level + 1] / giant.scale
            high = self.combine(q, level + 1, above)
            product = Leveled(self.product(high, giant).cipher, level, scale)
        return self.plus_polynomial(product, r)

    def plus_polynomial(self, x: Leveled[Cipher], c: NDArray[np.float64]) -> Leveled[Cipher]:
        """x + sum_i c_i T_i."""
        c = np.trim_zeros(c, "b")
        if len(c) < 2:
            return self.plus_number(x, float(c.sum())) if len(c) else x
        return self.plus(x, self.combine(c, x.level, x.scale))

    def weighted(self, terms: dict[int, float], constant: float, level: int, scale: float) -> Leveled[Cipher]:
        """sum_i terms[i] T_i + constant at exactly this level and scale, with one rescaling."""
        powers = [self.power(i) for i in terms]
        product_scale = scale * self.params.moduli[level + 1]
        entries = [round(w * product_scale / x.scale) for w, x in zip(terms.values(), powers, strict=True)]
        count = len(entries)
        matrix = IntegerMatrix(
            np.array([0, count]), np.arange(count), np.array(entries, dtype=np.int64), count
        )
        xs = [self.engine.drop(x.cipher, level + 1) for x in powers]
        (total,) = self.engine.affine(xs, matrix, np.array([constant]), product_scale)
        return Leveled(total, level, scale)

    def plus(self, x: Leveled[Cipher], y: Leveled[Cipher]) -> Leveled[Cipher]:
        """x + y, which are of one level and scale."""
        return Leveled(self.engine.add(x.cipher, y.cipher), x.level, x.scale)

    def plus_number(self, x: Leveled[Cipher], value: float) -> Leveled[Cipher]:
        """x + value in every slot."""
        return Leveled(self.engine.add_number(x.cipher, value), x.level, x.scale)
