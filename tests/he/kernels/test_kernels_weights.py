"""Sums weighted with encoded plaintexts, against the reference, and weights in little memory."""

import numpy as np
import pytest

from he import kernels
from he.ckks import encoding
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring
from he.kernels import Basis
from he.kernels.reference.weights import expanded

ROWS = [[0, 2, 1], [1], [2, 0] * 20, [1, 2]]


def weights_of(cases, basis: Basis, terms: int, entries: int, dtype: type) -> np.ndarray:
    return np.ascontiguousarray(cases.residues(basis, terms)[..., :entries]).astype(dtype)


@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize(("bits", "dtype"), [(50, np.uint64), (32, np.uint32), (30, np.uint64)])
@pytest.mark.parametrize("n", [16, 128, 1024])
def test_weighted_sums(path: str, n: int, bits: int, dtype: type, components: int, cases) -> None:
    fast, slow = cases.bases(n, cases.primes(n, bits, 2), path, threads=2)
    vectors = cases.residues(slow, 3, components)
    top = np.zeros_like(vectors) + np.array(slow.moduli, dtype=np.uint64)[:, None] - np.uint64(1)
    runs = [1, 2, 4, 8, n] if n == 128 else [1, n // 8]
    for run in runs:
        w = weights_of(cases, slow, sum(map(len, ROWS)), n // run, dtype)
        worst = np.zeros_like(w) + np.array(slow.moduli, dtype=dtype)[:, None] - dtype(1)
        for weights, x in ((w, vectors), (worst, top)):
            expected = kernels.weighted_sums(weights, list(x), ROWS, slow)
            assert np.array_equal(kernels.weighted_sums(weights, list(x), ROWS, fast), expected)


def test_more_inputs_than_fit_into_a_block(path: str, cases) -> None:
    fast, slow = cases.bases(1024, cases.primes(1024, 30, 1), path, threads=2)
    vectors, rows = list(cases.residues(slow, 600, 1)), [list(range(600)), [599, 0]]
    weights = weights_of(cases, slow, 602, 1024, np.uint32)
    got = kernels.weighted_sums(weights, vectors, rows, fast)
    assert np.array_equal(got, kernels.weighted_sums(weights, vectors, rows, slow))


@pytest.mark.parametrize(("bits", "dtype"), [(50, np.uint64), (33, np.uint64), (32, np.uint32)])
def test_compact_keeps_one_of_each_run(bits: int, dtype: type, cases) -> None:
    basis = Basis(128, cases.primes(128, bits, 2), "reference")
    polys = [expanded(cases.residues(basis)[:, :entries], 128) for entries in (4, 16, 1)]
    kept = kernels.compact(polys, basis)
    assert kept.dtype == dtype and kept.shape == (3, 2, 16) and kept.flags.c_contiguous
    assert np.array_equal(expanded(kept, 128), polys)
    assert kernels.compact([cases.residues(basis)], basis).shape == (1, 2, 128)


@pytest.mark.parametrize("period", [1, 4, 32, 512])
def test_repeated_slots_have_runs_of_equal_values(period: int) -> None:
    ring = Ring(CkksParams.from_spec(CkksSpec(log_n=10, depth=2, insecure=True)), threads=1)
    slots = np.tile(np.random.default_rng(period).uniform(-30, 30, period), 512 // period)
    plain = encoding.encode(ring, slots, 1, ring.params.scale)
    kept = kernels.compact([plain.poly], ring.basis(1))
    assert kept.shape[-1] == (1 if period == 1 else 2 * period)  # a constant has one value, not a pair
    assert np.array_equal(expanded(kept, 1024)[0], plain.poly)


def test_bad_arguments_are_refused(path: str, cases) -> None:
    basis = Basis(128, cases.primes(128, 40, 2), path)
    x, w = [np.zeros((2, 2, 128), dtype=np.uint64)], np.zeros((1, 2, 128), dtype=np.uint64)
    with pytest.raises(ValueError, match=r"1 vectors and rows of \[\] terms"):
        kernels.weighted_sums(w, x, [], basis)
    with pytest.raises(ValueError, match=r"rows of \[1, 0\] terms"):
        kernels.weighted_sums(w, x, [[0], []], basis)
    with pytest.raises(ValueError, match="rows: got 1 to 1, expected 0 to 0"):
        kernels.weighted_sums(w, x, [[1]], basis)
    for bad in (w[:, :1], np.zeros((2, 2, 128), dtype=np.uint64), np.zeros((1, 2, 96), dtype=np.uint64)):
        with pytest.raises(ValueError, match=r"expected \(1, 2, a power of two <= 128\)"):
            kernels.weighted_sums(np.ascontiguousarray(bad), x, [[0]], basis)
    with pytest.raises(TypeError, match="got dtype float64, expected uint64"):
        kernels.weighted_sums(w.astype(float), x, [[0]], basis)
    with pytest.raises(ValueError, match="vector: got shape"):
        kernels.weighted_sums(w, [x[0][:, :1].copy()], [[0]], basis)
    with pytest.raises(ValueError, match="weights: got none"):
        kernels.compact([], basis)
