"""The encoder's transform, rounding and composition: definitions, and the same bits on every path."""

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis, Embedding


def _slots(cases, n: int, *lead: int) -> np.ndarray:
    shape = (*lead, n // 2)
    return cases.rng.normal(size=shape) + 1j * cases.rng.normal(size=shape)


def test_slots_are_values_at_powers_of_five(cases) -> None:
    n = 64
    coefficients = cases.rng.normal(size=n)
    exponents = [pow(5, j, 2 * n) for j in range(n // 2)]
    points = np.exp(1j * np.pi * np.array(exponents) / n)
    expected = (coefficients * points[:, None] ** np.arange(n)).sum(axis=1)
    assert np.allclose(kernels.embed(coefficients, Embedding(n, "reference")), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("log_n", [4, 5, 7, 9, 12, 15])
def test_transform(path: str, log_n: int, cases) -> None:
    n = 1 << log_n
    fast, slow = Embedding(n, path, 1), Embedding(n, "reference")
    slots = _slots(cases, n, 2)
    coefficients = kernels.unembed(slots, fast)
    assert np.array_equal(coefficients, kernels.unembed(slots, slow))
    back = kernels.embed(coefficients, fast)
    assert np.array_equal(back, kernels.embed(coefficients, slow))
    assert np.abs(back - slots).max() < 1e-15 * 8 * log_n


@pytest.mark.parametrize("scale", [1.0, 2.0**20, 2.0**40, 2.0**61, 2.0**100, 2.0**300, 3.7])
def test_rounding(path: str, scale: float, cases) -> None:
    n = 128
    fast, slow = cases.bases(n, cases.primes(n, 50, 1) + cases.primes(n, 40, 2), path, threads=2)
    x = cases.rng.normal(size=(2, n))
    x[0, :8] = [0.0, -0.0, 0.5, 1.5, -0.5, -1.5, 2.5, 1e-320]
    for ntt in (False, True):
        expected = kernels.round_residues(x, scale, slow, ntt)
        assert np.array_equal(kernels.round_residues(x, scale, fast, ntt), expected)


@pytest.mark.parametrize("limbs", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("bits", [30, 50])
def test_composition(path: str, limbs: int, bits: int, cases) -> None:
    n = 128
    fast, slow = cases.bases(n, cases.primes(n, bits, limbs), path, threads=2)
    q = 1
    for m in fast.moduli:
        q *= m
    edges = [
        0,
        1,
        -1,
        q // 2,
        -(q // 2),
        q // 2 - 1,
        1 << 53,
        (1 << 53) + 1,
        (1 << 54) + 2,
        -(1 << 60) - 1,
        q // 3,
    ]
    x = np.resize(
        np.array([[e % m for e in edges] for m in fast.moduli], dtype=np.uint64), (limbs, len(edges))
    )
    x = np.ascontiguousarray(np.concatenate([x, cases.residues(slow)[:, len(edges) :]], axis=1))
    small = np.array([cases.rng.integers(-(1 << 61), 1 << 61, n)]).astype(object)
    small = np.concatenate([small % m for m in fast.moduli]).astype(np.uint64)
    assert np.array_equal(kernels.compose(small, 2.0**40, fast), kernels.compose(small, 2.0**40, slow))
    for scale in (1.0, 2.0**40, 1e9):
        assert np.array_equal(kernels.compose(x, scale, fast), kernels.compose(x, scale, slow))
    many = cases.residues(slow, 2)
    assert np.array_equal(kernels.compose(many, 1.0, fast), kernels.compose(many, 1.0, slow))


def test_encoding_and_decoding_meet(path: str, cases) -> None:
    n = 1 << 10
    basis, embedding = Basis(n, cases.primes(n, 40, 3), path, 1), Embedding(n, path, 1)
    slots = _slots(cases, n)
    residues = kernels.round_residues(kernels.unembed(slots, embedding), 2.0**40, basis)
    back = kernels.embed(kernels.compose(residues, 2.0**40, basis), embedding)
    assert np.abs(back - slots).max() < 2.0**-40 * n


def test_bad_arguments_are_refused(cases) -> None:
    for path in kernels.paths():
        basis, embedding = Basis(16, cases.primes(16, 40, 2), path, 1), Embedding(16, path, 1)
        with pytest.raises(TypeError, match="got dtype float32, expected float64"):
            kernels.embed(np.zeros(16, dtype=np.float32), embedding)
        with pytest.raises(ValueError, match=r"slots: got shape \(16,\), expected \(..., 8\)"):
            kernels.unembed(np.zeros(16, dtype=np.complex128), embedding)
        for bad in (np.nan, np.inf, 1e300):
            with pytest.raises(ValueError, match="not finite"):
                kernels.round_residues(np.full(16, bad), 1e20, basis)
        for scale in (0.0, -1.0, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="scale"):
                kernels.compose(np.zeros((2, 16), dtype=np.uint64), scale, basis)
