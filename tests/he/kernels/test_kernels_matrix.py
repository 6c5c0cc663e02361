"""Integer matrices times vectors of polynomials: every path against the reference, and what is refused."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from he import kernels
from he.kernels import IntegerMatrix
from he.kernels.reference.ring import column

LARGEST = (1 << 62) - 1


def sparse(dense: Any) -> IntegerMatrix:
    """The matrix of the non-zero entries."""
    rows, columns = np.nonzero(dense)
    pointers = np.concatenate([[0], np.cumsum(np.count_nonzero(dense, axis=1))])
    return IntegerMatrix(pointers, columns, np.asarray(dense)[rows, columns], np.shape(dense)[1])


def random_matrix(rng: Any, rows: int, columns: int, density: float, bits: int) -> Any:
    """Integers of up to `bits` bits and both signs, with at least one in every row."""
    dense = rng.integers(-(1 << bits) + 1, 1 << bits, (rows, columns)) * (
        rng.random((rows, columns)) < density
    )
    dense[np.arange(rows), rng.integers(0, columns, rows)] = rng.choice([-1, 1], rows) * ((1 << bits) - 1)
    return dense


@pytest.mark.parametrize("n", [16, 32, 128, 512])
@pytest.mark.parametrize(
    ("rows", "columns", "density"), [(1, 1, 1.0), (4, 7, 1.0), (9, 30, 0.2), (6, 20, 0.6)]
)
@pytest.mark.parametrize("bits", [1, 20, 62])
def test_matrix_product(path: str, n: int, rows: int, columns: int, density: float, bits: int, cases) -> None:
    fast, slow = cases.bases(n, cases.primes(n, 50, 1) + cases.primes(n, 40, 2), path, threads=2)
    matrix = sparse(random_matrix(cases.rng, rows, columns, density, bits))
    top = column(slow.moduli).astype(np.uint64) - np.uint64(1)
    x = cases.residues(slow, columns, 2)
    for vectors in (x, np.zeros_like(x) + top):
        expected = kernels.matrix_product(matrix, vectors, slow)
        assert np.array_equal(kernels.matrix_product(matrix, vectors, fast), expected)
        assert np.array_equal(kernels.matrix_product(matrix, [v.copy() for v in vectors], fast), expected)


def test_the_worst_sums_of_many_terms(path: str, cases) -> None:
    """More terms than any lazy sum holds, all of the largest factors: -1 and q - 1."""
    n, terms = 16 if path == "portable" else 128, 4100
    fast, slow = cases.bases(n, cases.primes(n, 50, 1), path)
    for entry in (-1, LARGEST, -LARGEST):
        matrix = sparse(np.full((1, terms), entry))
        vectors = np.full((terms, 1, 1, n), slow.moduli[0] - 1, dtype=np.uint64)
        expected = -entry * terms % slow.moduli[0]
        assert (kernels.matrix_product(matrix, vectors, fast) == np.uint64(expected)).all()


def test_blocks_smaller_than_the_ring(path: str, cases) -> None:
    """A ring of several pieces, with more columns than fit into the cache together."""
    fast, slow = cases.bases(1024, cases.primes(1024, 41, 1), path, threads=2)
    matrix = sparse(random_matrix(cases.rng, 6, 1100, 0.02, 30))
    vectors = cases.residues(slow, 1100, 1)
    expected = kernels.matrix_product(matrix, vectors, slow)
    assert np.array_equal(kernels.matrix_product(matrix, vectors, fast), expected)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_pattern_of_zeros(data: st.DataObject) -> None:
    """Grouping rows loses and mixes up nothing, whichever columns they share."""
    rows, columns = data.draw(st.integers(1, 11)), data.draw(st.integers(1, 6))
    patterns = data.draw(st.lists(st.integers(1, (1 << columns) - 1), min_size=rows, max_size=rows))
    dense = np.array([[p >> c & 1 for c in range(columns)] for p in patterns]) * np.arange(1, columns + 1)
    dense = dense * np.arange(1, rows + 1)[:, None]
    vectors = np.arange(columns * 16, dtype=np.uint64).reshape(columns, 1, 1, 16) % np.uint64(97)
    expected = np.tensordot(dense, vectors.astype(np.int64), 1) % 97
    for path in kernels.paths():
        assert np.array_equal(
            kernels.matrix_product(sparse(dense), vectors, kernels.Basis(16, [97], path)), expected
        )


def test_bad_arguments_are_refused(cases) -> None:
    def make(pointers: Any, indices: Any, entries: Any, columns: int = 3) -> IntegerMatrix:
        return IntegerMatrix(*(np.array(a, dtype=np.int64) for a in (pointers, indices, entries)), columns)

    for arguments, words in [
        (([0], [], []), "pointers: got"),
        (([0, 1, 1], [0], [1]), "pointers: got .* expected 0 and then ascending"),
        (([1, 2], [0, 1], [1, 1]), "pointers: got"),
        (([0, 2], [0], [1]), "got 1 indices and 1 entries, expected 2"),
        (([0, 1], [3], [1]), "indices: got 3 to 3, expected 0 to 2"),
        (([0, 1], [-1], [1]), "indices: got -1 to -1, expected 0 to 2"),
        (([0, 2], [1, 1], [1, 1]), "a column twice in a row"),
        (([0, 1], [1], [-(1 << 62)]), "entries: got one of size 4611686018427387904, expected less than 2"),
    ]:
        with pytest.raises(ValueError, match=words):
            make(*arguments)
    with pytest.raises(TypeError, match="indices: got dtype float64, expected int64"):
        IntegerMatrix(np.array([0, 1]), np.array([0.0]), np.array([1]), 3)
    matrix = make([0, 1], [0], [1])
    for path in kernels.paths():
        basis = kernels.Basis(16, [97, 193], path, 1)
        x = np.zeros((2, 2, 16), dtype=np.uint64)
        with pytest.raises(ValueError, match="vectors: got 2, expected 3, one for each column"):
            kernels.matrix_product(matrix, [x, x], basis)
        with pytest.raises(ValueError, match=r"vector: got shape \(1, 2, 16\), expected"):
            kernels.matrix_product(matrix, [x, x[:1].copy(), x], basis)
    assert repr(matrix) == "IntegerMatrix(1 x 3, 1 entries)"
