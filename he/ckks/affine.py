"""Weighted sums of ciphertexts with integer weights: a linear layer where each ciphertext holds one feature.

No rotations and no plaintext polynomials: a number is the same in every slot, and its polynomial a constant
(Dowlin, Gilad-Bachrach, Laine, Lauter, Naehrig and Wernsing, CryptoNets, ICML 2016, section 3).
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks.cipher import Ciphertext, expect_level
from he.ckks.ring import Ring, Values


def affine(
    ring: Ring,
    xs: Sequence[Ciphertext],
    matrix: kernels.IntegerMatrix,
    bias: NDArray[np.float64],
    scale: float,
) -> list[Ciphertext]:
    """Row r: sum_c matrix[r, c] xs[c], to be read at `scale`, rescaled, plus bias[r].

    The xs are of one level, their scales may differ: the caller's integers make up for it. bias: (rows,).
    ValueError for different levels, or if no level is left.
    """
    level = xs[0].level
    for place, x in enumerate(xs):
        expect_level(f"ciphertext {place}", x.level, level)
    if level < 1:
        raise ValueError(f"level is {level}, expected at least 1: no levels are left")
    products = kernels.matrix_product(matrix, [x.data for x in xs], ring.basis(level))
    data = kernels.mod_down(products, ring.rescaler(level))
    out_scale, basis = scale / ring.params.moduli[level], ring.basis(level - 1)
    for row, value in zip(data, bias, strict=True):
        kernels.add_scalar(row[0], [round(value * out_scale)] * basis.limbs, basis, out=row[0])
    return [Ciphertext(cast(Values, row), level - 1, out_scale) for row in data]
