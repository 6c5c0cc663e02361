"""A sparse matrix of integers times a vector of polynomials, in one call. Meaning: `reference/matrix.py`.

Rows with the same columns are computed together, four at a time, so that a residue that was loaded is used
four times; the residues of all inputs are gathered piece by piece into memory that stays in the cache.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.dispatch import U64, check_array, native, on_device
from he.kernels.handles import Basis
from he.kernels.reference import matrix as reference
from he.kernels.ring import empty

TOGETHER = 4
"""Rows that share one reading of their inputs; the native code is written for this number."""
LARGEST_ENTRY = 1 << 62

I64 = npt.NDArray[np.int64]


class IntegerMatrix:
    """Integers of size below 2^62 in compressed sparse rows, shape (rows, columns); every row has an entry.

    pointers (rows + 1,), indices and entries (entries,): int64; row r has the columns indices[t] for t from
    pointers[r] to pointers[r + 1], each once. Independent of moduli, ring and path.
    """

    __slots__ = ("_native", "entries", "indices", "pointers", "shape")

    def __init__(self, pointers: I64, indices: I64, entries: I64, columns: int) -> None:
        self.pointers, self.indices, self.entries = map(np.ascontiguousarray, (pointers, indices, entries))
        _check_rows(self.pointers, self.indices, self.entries, columns)
        self.shape = (len(pointers) - 1, columns)
        self._native: dict[str, Any] = {}

    def handle(self, path: str) -> Any:
        """The tables of the compiled kernels of a path, built at first use: rows in groups of alike ones."""
        kind = path if on_device(path) else "native"
        if kind not in self._native:
            self._native[kind] = native(path).IntegerMatrix(*self.shape, *_grouped(self))
        return self._native[kind]

    def rows(self) -> Iterator[list[tuple[int, int]]]:
        """(column, entry) of each row in turn."""
        for first, last in itertools.pairwise(self.pointers.tolist()):
            yield list(zip(self.indices[first:last].tolist(), self.entries[first:last].tolist(), strict=True))

    def dense(self) -> npt.NDArray[np.float64]:
        """All of it as float64 (rows, columns), entries beyond 2^53 rounded."""
        out = np.zeros(self.shape)
        out[np.repeat(np.arange(self.shape[0]), np.diff(self.pointers)), self.indices] = self.entries
        return out

    def __repr__(self) -> str:
        return f"IntegerMatrix({self.shape[0]} x {self.shape[1]}, {len(self.entries)} entries)"


def matrix_product(matrix: IntegerMatrix, vectors: Sequence[U64], basis: Basis) -> U64:
    """Row r of the result is sum_c matrix[r, c] vectors[c] mod q: (C, limbs, N) each -> (rows, C, limbs, N).

    Any sequence of arrays will do, a stacked array among them; those of columns without entries are ignored.
    """
    if len(vectors) != matrix.shape[1]:
        raise ValueError(f"vectors: got {len(vectors)}, expected {matrix.shape[1]}, one for each column")
    for vector in vectors:
        check_array(vector, "vector", "uint64", (len(vectors[0]), basis.limbs, basis.n), 3)
    if basis.handle is None:
        parts = (matrix.pointers, matrix.indices, matrix.entries)
        return reference.matrix_product(*parts, vectors, basis.moduli)
    out = empty((matrix.shape[0], *vectors[0].shape), basis)
    native(basis.path).matrix_product(basis.handle, matrix.handle(basis.path), list(vectors), out)
    return out


def _check_rows(pointers: I64, indices: I64, entries: I64, columns: int) -> None:
    for name, array in (("pointers", pointers), ("indices", indices), ("entries", entries)):
        check_array(array, name, np.int64, array.shape[-1:], 1)
    if len(pointers) < 2 or pointers[0] != 0 or (np.diff(pointers) < 1).any():
        raise ValueError(f"pointers: got {pointers[:5]}..., expected 0 and then ascending numbers")
    if not len(indices) == len(entries) == pointers[-1]:
        raise ValueError(f"got {len(indices)} indices and {len(entries)} entries, expected {pointers[-1]}")
    if indices.min() < 0 or indices.max() >= columns:
        raise ValueError(f"indices: got {indices.min()} to {indices.max()}, expected 0 to {columns - 1}")
    row = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    if len(np.unique(row * columns + indices)) != len(indices):
        raise ValueError("indices: got a column twice in a row, expected each once")
    largest = max(int(entries.max()), -int(entries.min()))
    if largest >= LARGEST_ENTRY:
        raise ValueError(f"entries: got one of size {largest}, expected less than 2^62")


def _grouped(matrix: IntegerMatrix) -> tuple[I64, I64, I64, I64, I64]:
    """(used, starts, rows, places, weights): the columns in use; the first term of each group; its rows, -1
    for none, (groups, 4); for each term its place among the used columns; and its integers, (terms, 4).
    """
    used, places = np.unique(matrix.indices, return_inverse=True)
    starts, rows, columns, weights = [0], [], [], []
    for group in alike_rows(matrix.pointers, matrix.indices):
        spans = [slice(matrix.pointers[r], matrix.pointers[r + 1]) for r in group]
        own = np.unique(np.concatenate([places[span] for span in spans]))
        table = np.zeros((len(own), TOGETHER), dtype=np.int64)
        for k, span in enumerate(spans):
            table[np.searchsorted(own, places[span]), k] = matrix.entries[span]
        starts.append(starts[-1] + len(own))
        rows.append([*group, *[-1] * (TOGETHER - len(group))])
        columns.append(own)
        weights.append(table)
    return used, np.array(starts), np.array(rows), np.concatenate(columns), np.concatenate(weights)


def alike_rows(pointers: I64, indices: I64) -> Iterator[list[int]]:
    """The rows in groups of at most four: those with the same columns first, then the rest in their order."""
    same: dict[bytes, list[int]] = defaultdict(list)
    for r, (first, last) in enumerate(itertools.pairwise(pointers.tolist())):
        same[np.sort(indices[first:last]).tobytes()].append(r)
    left: list[int] = []
    for rows in same.values():
        whole = len(rows) // TOGETHER * TOGETHER
        yield from (rows[i : i + TOGETHER] for i in range(0, whole, TOGETHER))
        left += rows[whole:]
    for i in range(0, len(left), TOGETHER):
        yield from _close(pointers, indices, left[i : i + TOGETHER])


def _close(pointers: I64, indices: I64, rows: list[int]) -> Iterator[list[int]]:
    """The rows as one group, or each alone where their columns differ too much to be worth it."""
    spans = [indices[pointers[r] : pointers[r + 1]] for r in rows]
    if len(np.unique(np.concatenate(spans))) <= max(map(len, spans)) * 2:
        yield rows
    else:
        yield from ([r] for r in rows)
