"""Linear maps on ciphertexts: encoded diagonals, baby steps and giant steps, double hoisting.

Bossuat, Mouchet, Troncoso-Pastoriza and Hubaux, ePrint 2020/1203, Algorithm 6: the input is decomposed once
for all baby steps; their products with the diagonals are added over Q P; each giant step decomposes once; one
division by P, here with the rescaling in it, ends it all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks import encoding
from he.ckks.cipher import Ciphertext, expect_level
from he.ckks.keys import EvaluationKeys
from he.ckks.linear import Diagonals
from he.ckks.ring import Ring, Values


@dataclass(frozen=True, eq=False, repr=False)
class LinearMap:
    """rows: giant step g -> its baby steps. weights: their diagonals over QP, one after the other, for one
    level.
    """

    rows: Mapping[int, Sequence[int]]
    weights: kernels.Weights
    level: int
    scale: float

    @property
    def baby_steps(self) -> list[int]:
        """The rotations of the input that are needed."""
        return sorted({b for row in self.rows.values() for b in row})

    def __repr__(self) -> str:
        return f"LinearMap({self.weights.terms} diagonals, level={self.level})"


def encode(ring: Ring, diagonals: Diagonals, level: int, scale: float) -> LinearMap:
    """The diagonals as plaintexts; ValueError if there is none."""
    if not diagonals.rows:
        raise ValueError("0 diagonals given, expected at least one that is not zero")
    polys = (
        encoding.encode_extended(ring, d, level, scale).poly
        for row in diagonals.rows.values()
        for d in row.values()
    )
    rows = {g: tuple(row) for g, row in diagonals.rows.items()}
    return LinearMap(rows, kernels.Weights(polys, ring.extended(level)), level, scale)


def apply(keys: EvaluationKeys, x: Ciphertext, linear: LinearMap) -> Ciphertext:
    """The linear map applied to x and rescaled; ValueError at another level or without a key it needs."""
    expect_level("the linear map", linear.level, x.level)
    ring = keys.ring
    finisher = ring.finisher(x.level)
    steps, basis, total = linear.baby_steps, ring.extended(x.level), None
    babies, place = _babies(keys, x, steps), {b: i for i, b in enumerate(steps)}
    rows = [[place[b] for b in row] for row in linear.rows.values()]
    inners = kernels.weighted_sums(linear.weights, [babies[b] for b in steps], rows)
    for g, inner in zip(linear.rows, inners, strict=True):
        moved = _giant(keys, inner, g, x.level)
        total = moved if total is None else kernels.add(total, moved, basis, out=total)
    assert total is not None  # `encode` refuses a map without diagonals
    data = cast(Values, kernels.mod_down(total, finisher))
    return Ciphertext(data, x.level - 1, x.scale * linear.scale / ring.params.moduli[x.level])


def _babies(keys: EvaluationKeys, x: Ciphertext, steps: list[int]) -> dict[int, NDArray[np.uint64]]:
    """P rot_b(x) over QP for each b, (2, level + 1 + special, N)."""
    ring, gadget = keys.ring, keys.ring.gadget(x.level)
    exponents = {b: ring.galois(b) for b in steps}
    babies = {b: _times_p(ring, x) for b, k in exponents.items() if k == 1}
    if len(babies) < len(steps):
        digits = kernels.decompose(x.data[1], gadget)
        for b, k in exponents.items():
            if k != 1:
                key = keys.automorphism(k)
                babies[b] = kernels.inner_product(digits, key, gadget, k, addend=x.data[:1])
    return babies


def _times_p(ring: Ring, x: Ciphertext) -> NDArray[np.uint64]:
    """P x over QP: zero modulo the primes of P."""
    basis, extended = ring.basis(x.level), ring.extended(x.level)
    out = kernels.empty((2, extended.limbs, extended.n), extended)
    kernels.zero(out, extended)
    for half, part in zip(out, x.data, strict=True):
        kernels.mul_scalar(part, [ring.p] * basis.limbs, basis, out=half[: basis.limbs])
    return out


def _giant(keys: EvaluationKeys, inner: NDArray[np.uint64], step: int, level: int) -> NDArray[np.uint64]:
    """rot_step of a pair over QP that encrypts P times something: (2, level + 1 + special, N) -> the same."""
    ring, gadget = keys.ring, keys.ring.gadget(level)
    k = ring.galois(step)
    if k == 1:
        return inner
    digits = kernels.decompose(kernels.mod_down(inner[1], gadget.divider), gadget)
    moved = kernels.inner_product(digits, keys.automorphism(k), gadget, k)
    c0 = kernels.automorphism_ntt(inner[0], k, gadget.basis)
    kernels.add(moved[0], c0, gadget.basis, out=moved[0])
    return moved
