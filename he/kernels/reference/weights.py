"""Sums of polynomials weighted with polynomials."""

from collections.abc import Sequence

import numpy as np

from he.kernels.reference.ring import U64, column


def weighted_sums(
    weights: U64, vectors: Sequence[U64], rows: Sequence[Sequence[int]], moduli: Sequence[int]
) -> U64:
    """out_r = sum_t weights_t vectors[rows[r][t]] mod q, entry by entry; t counts on from row to row.

    weights (T, limbs, N), vectors (C, limbs, N) each -> (rows, C, limbs, N).
    """
    full = iter(weights.astype(object))
    totals = [sum(vectors[v].astype(object) * next(full)[None] for v in row) % column(moduli) for row in rows]
    return np.asarray(totals).astype(np.uint64)
