"""Sums weighted with encoded plaintexts, against the reference, and weights in little memory."""

import numpy as np
import pytest

from he import kernels
from he.ckks import encoding
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring
from he.kernels import Basis, Weights
from he.kernels.weights import expanded

ROWS = [[0, 2, 1], [1], [2, 0] * 20, [1, 2]]
TERMS = sum(map(len, ROWS))


def in_runs(polys: np.ndarray, run: int) -> np.ndarray:
    """Runs of equal values in place of all different ones."""
    return np.ascontiguousarray(polys[..., ::run].repeat(run, axis=-1))


@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("bits", [(50, 50), (32, 32), (30, 45)])
@pytest.mark.parametrize("n", [16, 128, 1024])
def test_weighted_sums(path: str, n: int, bits: tuple[int, int], components: int, cases) -> None:
    moduli = [cases.primes(n, b, 2)[i] for i, b in enumerate(bits)]
    fast, slow = cases.bases(n, moduli, path, threads=2)
    vectors = cases.residues(slow, 3, components)
    top = np.array(moduli, dtype=np.uint64)[:, None] - np.uint64(1)
    for run in (1, 2, 4, 8, 16, 32, n) if n == 128 else (1, n // 8):
        w = in_runs(cases.residues(slow, TERMS), run)
        for polys, x in ((w, vectors), (np.zeros_like(w) + top, np.zeros_like(vectors) + top)):
            expected = kernels.weighted_sums(Weights(polys, slow), list(x), ROWS)
            assert np.array_equal(kernels.weighted_sums(Weights(polys, fast), list(x), ROWS), expected)


def test_more_inputs_than_fit_into_a_block(path: str, cases) -> None:
    fast, slow = cases.bases(1024, cases.primes(1024, 30, 1), path, threads=2)
    vectors, rows = list(cases.residues(slow, 600, 1)), [list(range(600)), [599, 0]]
    polys = cases.residues(slow, 602)
    got = kernels.weighted_sums(Weights(polys, fast), vectors, rows)
    assert np.array_equal(got, kernels.weighted_sums(Weights(polys, slow), vectors, rows))


def test_one_value_of_each_run_is_kept(path: str, cases) -> None:
    basis = Basis(128, (*cases.primes(128, 32, 1), *cases.primes(128, 33, 1)), path)
    polys = [in_runs(cases.residues(basis), run) for run in (32, 8, 128)]
    weights = Weights(polys, basis)
    assert (weights.terms, weights.run) == (3, 8)
    assert np.array_equal(expanded(weights), polys)
    assert weights.nbytes == 3 * 128 // 8 * (16 if isinstance(weights.data, np.ndarray) else 12)
    assert Weights([cases.residues(basis)], basis).run == 1


@pytest.mark.parametrize("period", [1, 4, 32, 512])
def test_repeated_slots_have_runs_of_equal_values(period: int) -> None:
    ring = Ring(CkksParams.from_spec(CkksSpec(log_n=10, depth=2, insecure=True)), threads=1)
    slots = np.tile(np.random.default_rng(period).uniform(-30, 30, period), 512 // period)
    plain = encoding.encode(ring, slots, 1, ring.params.scale)
    weights = Weights([plain.poly], ring.basis(1))
    assert weights.run == (1024 if period == 1 else 512 // period)  # a constant is one number, not a pair
    assert np.array_equal(expanded(weights)[0], plain.poly)


def test_bad_arguments_are_refused(path: str, cases) -> None:
    basis = Basis(128, cases.primes(128, 40, 2), path)
    x, weights = [np.zeros((2, 2, 128), dtype=np.uint64)], Weights(np.zeros((1, 2, 128), np.uint64), basis)
    for rows in ([], [[0], []], [[0, 0]]):
        with pytest.raises(ValueError, match="expected as many terms as weights, one or more in each row"):
            kernels.weighted_sums(weights, x, rows)
    with pytest.raises(ValueError, match="rows: got 1 to 1, expected 0 to 0"):
        kernels.weighted_sums(weights, x, [[1]])
    with pytest.raises(ValueError, match="vector: got shape"):
        kernels.weighted_sums(weights, [x[0][:, :1].copy()], [[0]])
    with pytest.raises(ValueError, match="weights: got none"):
        Weights([], basis)
    with pytest.raises(ValueError, match="weight: got shape"):
        Weights([np.zeros((1, 128), np.uint64)], basis)
