"""A sparse matrix between two layouts as diagonals, with baby steps and giant steps.

A product with a matrix is a sum of products with rotations of the vector: sum_k d_k * rot_k(x) (Halevi and
Shoup, CRYPTO 2014). Where the source is repeated every p places, rotations count modulo p. A narrow target
can be folded: its sums are spread over places a `fold` apart, so that only `fold` different rotations are
needed, and added up by rotations afterwards (Gazelle's hybrid: Juvekar, Vaikuntanathan and Chandrakasan,
USENIX Security 2018, section 4.3).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from he.ckks import linear
from he.latency.layout import Layout


class Rotations(NamedTuple):
    """What a plan knows of a transform: rotations in places and how many products they make.

    step: giant steps are multiples of it. fold: as in the module's description, 0 for none. pieces: pairs of
    ciphertexts with a matrix between them.
    """

    step: int
    fold: int
    babies: tuple[int, ...]
    giants: tuple[int, ...]
    sums: tuple[int, ...]
    products: int
    pieces: int


@dataclass(frozen=True, eq=False)
class Entries:
    """The matrix entry by entry: value v goes from a place `offset` on to place `target`, in the ciphertexts
    `pair` (target, source); places are modulo the width.
    """

    values: NDArray[np.float64]
    offset: NDArray[np.int64]
    target: NDArray[np.int64]
    pair: NDArray[np.int64]
    sources: int
    repeat: int

    @classmethod
    def of(cls, matrix: Any, source: Layout, target: Layout, width: int, fold: int) -> "Entries":
        """matrix: SciPy's csr_array (target features, source features)."""
        entries = matrix.tocoo()
        t, s = target.places[entries.row], source.places[entries.col]
        sources, period = source.ciphertexts(width), min(source.period, width)
        pair = t // width * sources + s // width
        t, s = t % width, s % width
        k = (s - t) % period
        if fold:
            t, k = t + k // fold * fold, k % fold
        else:
            k = np.where(k >= period // 2, k - period, k)
        repeat = (fold and period) or max(period, min(target.period, width))
        return cls(entries.data, k, t, pair, sources, repeat)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """All different offsets, ascending."""
        low = int(self.offset.min())
        return np.flatnonzero(np.bincount(self.offset - low)) + low

    @property
    def products(self) -> int:
        """Diagonals that are not zero, over all pairs of ciphertexts."""
        low = int(self.offset.min())
        span = int(self.offset.max()) - low + 1
        return int(np.count_nonzero(np.bincount(self.pair * span + self.offset - low)))

    def diagonals(self, step: int, width: int, samples: int) -> Iterator[tuple[int, int, linear.Diagonals]]:
        """(target ciphertext, source ciphertext, its diagonals in slots), for each pair with any."""
        for pair in np.unique(self.pair):
            mine = self.pair == pair
            offsets, which = np.unique(self.offset[mine], return_inverse=True)
            table = np.zeros((len(offsets), self.repeat))
            np.add.at(table, (which, self.target[mine]), self.values[mine])
            slots = {
                int(k) * samples: np.repeat(np.tile(row, width // self.repeat), samples)
                for k, row in zip(offsets, table, strict=True)
            }
            yield int(pair) // self.sources, int(pair) % self.sources, linear.split(slots, step * samples)


def folds(source: Layout, target: Layout, width: int) -> tuple[int, ...]:
    """The folds that a target may have: none, and the next power of two where that is narrower."""
    least = target.period
    fits = target.ciphertexts(width) == 1 and source.ciphertexts(width) == 1 and least < source.period
    return (0, least) if fits else (0,)


def sums(source: Layout, fold: int) -> tuple[int, ...]:
    """The rotations that add up the partial sums of a folded target."""
    if not fold:
        return ()
    return tuple(fold << i for i in range((source.period // fold).bit_length() - 1))
