"""The distributions, on millions of draws. Chance exceeds a threshold less than once in 2^40 runs."""

import math

import numpy as np
import pytest

from he import kernels
from he.ckks import sampling
from he.ckks.params import SIGMA
from he.ckks.ring import Ring

N = 1 << 17
DRAWS = 16  # of 2^17 values each: two million
# Of a normal variable; with a dozen comparisons a run, chance exceeds one less than once in 2^40 runs.
MANY_SIGMA = 7.5
needs_kernels = pytest.mark.skipif(not kernels.available(), reason="the exact kernels are too slow for this")


def draws(kind: str) -> np.ndarray:
    seed = sampling.os_seed()
    if kind == "ternary":
        return np.concatenate([kernels.ternary(seed, i, N) for i in range(DRAWS)])
    return np.concatenate([kernels.gaussian(seed, i, N, SIGMA) for i in range(DRAWS)])


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """The statistic in standard deviations above its mean (Wilson and Hilferty's cube root)."""
    k = len(counts) - 1
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return ((statistic / k) ** (1 / 3) - (1 - 2 / (9 * k))) / math.sqrt(2 / (9 * k))


@needs_kernels
def test_ternary_is_uniform() -> None:
    x = draws("ternary")
    counts = np.array([(x == v).sum() for v in (-1, 0, 1)])
    assert counts.sum() == len(x)
    assert chi_square(counts, np.full(3, len(x) / 3)) < MANY_SIGMA


@needs_kernels
def test_the_error_is_a_discrete_gaussian() -> None:
    x = draws("gaussian")
    support = np.arange(-14, 15)
    weights = np.exp(-(support**2) / (2 * SIGMA**2))
    inside = x[np.abs(x) <= 14]
    counts = np.array([(inside == v).sum() for v in support])
    assert chi_square(counts, weights / weights.sum() * len(inside)) < MANY_SIGMA
    assert abs(x.mean()) < MANY_SIGMA * SIGMA / math.sqrt(len(x))
    assert abs(x.var() / SIGMA**2 - 1) < MANY_SIGMA * math.sqrt(2 / len(x))
    assert np.abs(x).max() < 9.5 * SIGMA  # the tail is cut where it weighs 2^-64


@needs_kernels
def test_neighbours_are_independent() -> None:
    x = draws("gaussian") / SIGMA
    assert abs((x[:-1] * x[1:]).mean()) < MANY_SIGMA / math.sqrt(len(x))


@needs_kernels
def test_uniform_residues_are_uniform(ring: Ring) -> None:
    seed, basis = sampling.os_seed(), ring.full
    x = np.concatenate([sampling.uniform(seed, i, basis) for i in range(64)], axis=1)
    for row, q in zip(x, basis.moduli, strict=True):
        counts = np.bincount((row * np.float64(256 / q)).astype(int), minlength=256)
        assert chi_square(counts, np.full(256, len(row) / 256)) < MANY_SIGMA


def test_streams_and_seeds_differ_and_repeat(ring: Ring) -> None:
    seed = sampling.os_seed()
    same = [sampling.error(ring, seed, 0, ring.full) for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert (same[0] != sampling.error(ring, seed, 1, ring.full)).any()
    assert (same[0] != sampling.error(ring, sampling.os_seed(), 0, ring.full)).any()
    assert len(seed) == 32


def test_small_polynomials_have_the_same_coefficients_modulo_every_prime(ring: Ring) -> None:
    coefficients = np.arange(-512, 512)
    back = kernels.intt(sampling.small(coefficients, ring.full), ring.full)
    for row, q in zip(back, ring.full.moduli, strict=True):
        np.testing.assert_array_equal(row, coefficients % q)


@pytest.mark.parametrize("distribution", [sampling.ternary, sampling.error])
def test_the_paths_draw_the_same(distribution: object, params: object) -> None:
    results = [distribution(r, bytes(32), 0, r.full) for r in (Ring(params, p) for p in kernels.paths())]  # type: ignore
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
