"""Sums of polynomials weighted with polynomials, of which each entry may stand for many."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.reference.ring import U64, column


def expanded(weights: npt.NDArray[Any], n: int) -> U64:
    """NTT values (..., limbs, N) of weights (..., limbs, M): each entry N / M times."""
    return np.repeat(weights.astype(np.uint64), n // weights.shape[-1], axis=-1)


def weighted_sums(
    weights: npt.NDArray[Any], vectors: Sequence[U64], rows: Sequence[Sequence[int]], moduli: Sequence[int]
) -> U64:
    """out_r = sum_t weights_t vectors[rows[r][t]] mod q, entry by entry; t counts on from row to row.

    weights (T, limbs, M), vectors (C, limbs, N) each -> (rows, C, limbs, N).
    """
    full = iter(expanded(weights, vectors[0].shape[-1]).astype(object))
    totals = [sum(vectors[v].astype(object) * next(full)[None] for v in row) % column(moduli) for row in rows]
    return np.asarray(totals).astype(np.uint64)
