"""A matrix of integers times a vector of polynomials: a linear layer on ciphertexts of one feature each."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from he.kernels.reference.ring import U64, column


def matrix_product(
    pointers: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int64],
    entries: npt.NDArray[np.int64],
    vectors: Sequence[U64],
    moduli: Sequence[int],
) -> U64:
    """out_r = sum_t entries_t vectors[indices_t] mod q over t in [pointers_r, pointers_{r+1}).

    Compressed sparse rows; vectors: (C, limbs, N) each, of any domain -> (rows, C, limbs, N).
    """
    out = np.zeros((len(pointers) - 1, *vectors[0].shape), dtype=np.uint64)
    for r in range(len(out)):
        terms = range(pointers[r], pointers[r + 1])
        total = sum(int(entries[t]) * vectors[indices[t]].astype(object) for t in terms)
        out[r] = np.asarray(total % column(moduli)).astype(np.uint64)
    return out
