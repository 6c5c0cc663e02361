"""Sums of ciphertexts weighted with plaintexts that were encoded once. Meaning: `reference/weights.py`.

What such a sum costs is the reading of its weights, so they are kept in little memory: residues below 2^32 in
four bytes, and only the values that differ. A plaintext whose slots repeat themselves N / (2 M) times over is a
polynomial in X^(N/M) (the field that the rotation by a period leaves alone), so that its NTT values, in our
bit-reversed order, come in runs of N / M equal ones.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.dispatch import U64, check_array, native
from he.kernels.handles import Basis
from he.kernels.reference import weights as reference
from he.kernels.ring import empty


def compact(polys: Iterable[U64], basis: Basis) -> Any:
    """NTT values (limbs, N) of each weight -> (T, limbs, M), uint32 where all moduli are below 2^32, else
    uint64: of each run of N / M equal values one. M is the smallest power of two that all of them have.
    """
    narrow = max(basis.moduli) < 1 << 32
    kept = []
    for poly in polys:
        check_array(poly, "weight", np.uint64, (basis.limbs, basis.n), 2)
        while poly.shape[-1] > 1 and bool((poly[:, ::2] == poly[:, 1::2]).all()):
            poly = poly[:, ::2]
        kept.append(poly.astype(np.uint32) if narrow else poly.copy())
    if not kept:
        raise ValueError("weights: got none, expected at least one")
    entries = max(poly.shape[-1] for poly in kept)
    first = kept[0].repeat(entries // kept[0].shape[-1], axis=-1)
    weights = first[None].repeat(len(kept), axis=0)
    for out, poly in zip(weights, kept, strict=True):
        out[...] = poly.repeat(entries // poly.shape[-1], axis=-1)
    return weights


def weighted_sums(
    weights: npt.NDArray[Any], vectors: Sequence[U64], rows: Sequence[Sequence[int]], basis: Basis
) -> U64:
    """Many sums over the same polynomials: out_r = sum_t weights_t vectors[rows[r][t]] mod q, NTT values.

    weights: (T, limbs, M), as from `compact`; t counts on from row to row, T terms in all. vectors: (C, limbs,
    N) each; nothing is copied. -> (rows, C, limbs, N).
    """
    _check(weights, vectors, rows, basis)
    if basis.handle is None:
        return reference.weighted_sums(weights, vectors, rows, basis.moduli)
    out = empty((len(rows), *vectors[0].shape), basis)
    starts = list(accumulate(map(len, rows), initial=0))
    places = [v for row in rows for v in row]
    native(basis.path).weighted_sums(basis.handle, weights, list(vectors), starts, places, out)
    return out


def _check(
    weights: npt.NDArray[Any], vectors: Sequence[U64], rows: Sequence[Sequence[int]], basis: Basis
) -> None:
    terms = sum(map(len, rows))
    if not len(rows) or not all(map(len, rows)) or not len(vectors):
        raise ValueError(
            f"got {len(vectors)} vectors and rows of {list(map(len, rows))} terms, expected one or more of each"
        )
    dtype = np.uint32 if weights.dtype == np.uint32 else np.uint64
    check_array(weights, "weights", dtype, weights.shape[-1:], 3)
    entries = weights.shape[-1]
    if weights.shape[:-1] != (terms, basis.limbs) or entries.bit_count() != 1 or entries > basis.n:
        raise ValueError(
            f"weights: got shape {weights.shape}, expected ({terms}, {basis.limbs}, a power of two <= {basis.n})"
        )
    for vector in vectors:
        check_array(vector, "vector", np.uint64, (len(vectors[0]), basis.limbs, basis.n), 3)
    places = [v for row in rows for v in row]
    if not (min(places) >= 0 and max(places) < len(vectors)):
        raise ValueError(f"rows: got {min(places)} to {max(places)}, expected 0 to {len(vectors) - 1}")
