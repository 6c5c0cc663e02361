"""Sums of ciphertexts weighted with plaintexts that were encoded once. Meaning: `reference/weights.py`.

What such a sum costs is the reading of its weights, so they are kept in little memory, in the order in which
they are read: residues of moduli below 2^32 in four bytes, and only the values that differ. A plaintext
whose slots repeat themselves N / (2 M) times over is a polynomial in X^(N/M) (the field that the rotation by
a period leaves alone), so that its NTT values, in our bit-reversed order, come in runs of N / M equal ones.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.dispatch import FOUR_BYTES, U64, check_array, native, on_device
from he.kernels.handles import Basis
from he.kernels.reference import weights as reference
from he.kernels.ring import empty

TILE = 16
"""Words of a row that the native code sums up at a time; weights lie tile by tile."""


class Weights:
    """Plaintexts to multiply with, made ready for a basis: NTT values (limbs, N) each, of which runs of equal
    ones are kept once, `run` being the largest power of two that all have.
    """

    __slots__ = ("basis", "data", "run", "terms")

    def __init__(self, polys: Iterable[U64], basis: Basis) -> None:
        """At least one, NTT values (limbs, N) in [0, q)."""
        kept = [_distinct(poly, basis) for poly in polys]
        if not kept:
            raise ValueError("weights: got none, expected at least one")
        self.basis, self.terms = basis, len(kept)
        self.run = basis.n // max(len(rows[0]) for rows in kept)
        self.data: Any = _natural(kept) if on_device(basis.path) else _tiled(kept, self.run)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(row.nbytes for row in self.data) if isinstance(self.data, list) else int(self.data.nbytes)

    def __repr__(self) -> str:
        return f"Weights({self.terms} of {self.basis!r}, runs of {self.run})"


def weighted_sums(weights: Weights, vectors: Sequence[U64], rows: Sequence[Sequence[int]]) -> U64:
    """Many sums over the same polynomials: out_r = sum_t weights_t vectors[rows[r][t]] mod q, NTT values.

    t counts on from row to row, as many as there are weights. vectors: (C, limbs, N) each; nothing is copied.
    -> (rows, C, limbs, N).
    """
    basis, places = weights.basis, [v for row in rows for v in row]
    if not len(vectors) or not len(rows) or not all(map(len, rows)) or len(places) != weights.terms:
        raise ValueError(
            f"got {len(vectors)} vectors, rows of {list(map(len, rows))} terms and {weights.terms} weights, "
            "expected as many terms as weights, one or more in each row"
        )
    if not (min(places) >= 0 and max(places) < len(vectors)):
        raise ValueError(f"rows: got {min(places)} to {max(places)}, expected 0 to {len(vectors) - 1}")
    for vector in vectors:
        check_array(vector, "vector", np.uint64, (len(vectors[0]), basis.limbs, basis.n), 3)
    if basis.handle is None:
        return reference.weighted_sums(expanded(weights), vectors, rows, basis.moduli)
    out = empty((len(rows), *vectors[0].shape), basis)
    starts = list(accumulate(map(len, rows), initial=0))
    log_run = weights.run.bit_length() - 1
    native(basis.path).weighted_sums(basis.handle, weights.data, log_run, list(vectors), starts, places, out)
    return out


def expanded(weights: Weights) -> Any:
    """The NTT values that the weights were made of: (terms, limbs, N)."""
    rows = weights.data
    if isinstance(rows, list):
        rows = np.stack([row.transpose(1, 0, 2).reshape(weights.terms, -1) for row in rows], axis=1)
    return rows.astype(np.uint64).repeat(weights.run, axis=-1)


def _distinct(poly: U64, basis: Basis) -> list[npt.NDArray[Any]]:
    """Of each run of equal values one, and four bytes where they are enough: a row a modulus."""
    check_array(poly, "weight", np.uint64, (basis.limbs, basis.n), 2)
    while poly.shape[-1] > 1 and bool((poly[:, ::2] == poly[:, 1::2]).all()):
        poly = poly[:, ::2]
    fits = [q < FOUR_BYTES for q in basis.moduli]
    return [row.astype(np.uint32 if narrow else np.uint64) for row, narrow in zip(poly, fits, strict=True)]


def _tiled(kept: list[list[npt.NDArray[Any]]], run: int) -> list[npt.NDArray[Any]]:
    """For each modulus (tiles, weights, entries of a tile). Takes the rows away: there may be gigabytes."""
    out, chunk = [], max(1, TILE // run)
    entries = max(len(rows[0]) for rows in kept)
    for _ in range(len(kept[0])):
        rows = [weight.pop(0) for weight in kept]
        tiles = np.empty((entries // chunk, len(rows), chunk), rows[0].dtype)
        for t, row in enumerate(rows):
            tiles[:, t] = row.repeat(entries // len(row)).reshape(-1, chunk)
        out.append(tiles)
    return out


def _natural(kept: list[list[npt.NDArray[Any]]]) -> Any:
    """(weights, moduli, entries), of one type: on a GPU neighbouring threads read neighbouring entries."""
    entries = max(len(rows[0]) for rows in kept)
    dtype = max((row.dtype for row in kept[0]), key=lambda kind: kind.itemsize)
    return np.stack(
        [np.stack([row.astype(dtype).repeat(entries // len(row)) for row in rows]) for rows in kept]
    )
