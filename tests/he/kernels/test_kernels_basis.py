"""Base conversion and division: the reference against exact integers, every path against the reference."""

from math import prod

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis, Converter, Divider
from he.kernels.reference.ring import intt


def _integers(x: np.ndarray, moduli: tuple[int, ...]) -> list[int]:
    """The integers in [0, Q) behind coefficients of shape (limbs, N)."""
    q = prod(moduli)
    return [
        sum(int(r) * (q // m) * pow(q // m, -1, m) for r, m in zip(column, moduli, strict=True)) % q
        for column in x.T
    ]


def test_reference_conversion_is_centred(cases) -> None:
    n = 16
    moduli = cases.primes(n, 30, 5)
    source, target = Basis(n, moduli[:3], "reference"), Basis(n, moduli[3:], "reference")
    q = prod(source.moduli)
    x = cases.residues(source)
    centred = [v - q if v > q // 2 else v for v in _integers(x, source.moduli)]
    expected = [[v % p for v in centred] for p in target.moduli]
    assert kernels.convert(x, Converter(source, target)).tolist() == expected


@pytest.mark.parametrize("drop", [1, 2])
def test_reference_division_rounds(drop: int, cases) -> None:
    n = 16
    basis = Basis(n, cases.primes(n, 30, 5), "reference")
    x = cases.residues(basis)
    divider = Divider(basis, drop)
    got = intt(kernels.mod_down(x, divider), divider.quotient.moduli)
    p, q = prod(basis.moduli[-drop:]), prod(divider.quotient.moduli)
    for value, rounded in zip(
        _integers(intt(x, basis.moduli), basis.moduli), _integers(got, divider.quotient.moduli), strict=True
    ):
        assert abs((rounded * p - value + p // 2) % (q * p) - p // 2) <= p // 2


@pytest.mark.parametrize("n", [16, 32, 128, 512])
@pytest.mark.parametrize(("source", "target"), [(1, 3), (3, 2), (8, 1)])
@pytest.mark.parametrize("bits", [40, 50])
def test_conversion(path: str, n: int, source: int, target: int, bits: int, cases) -> None:
    fast, slow = cases.bases(n, cases.primes(n, bits, source + target), path)
    split = range(source), range(source, source + target)
    one, other = (Converter(*(b.select(part) for part in split)) for b in (fast, slow))
    for x in cases.inputs(one.source):
        assert np.array_equal(kernels.convert(x, one), kernels.convert(x, other))
    many = cases.residues(one.source, 3)
    assert np.array_equal(kernels.convert(many, one), kernels.convert(many, other))


def test_conversion_between_very_different_moduli(path: str, cases) -> None:
    n = 128
    moduli = (
        cases.primes(n, 50, 1)[0],
        cases.primes(n, 20, 1)[0],
        cases.primes(n, 21, 1)[0],
        cases.primes(n, 49, 1)[0],
    )
    fast, slow = cases.bases(n, moduli, path)
    splits = ([0, 1], [2, 3]), ([1, 2], [0, 3]), ([0, 3], [1, 2]), ([0], [1, 2, 3]), ([1], [0, 2, 3])
    for split in splits:
        one, other = (Converter(*(b.select(part) for part in split)) for b in (fast, slow))
        for x in cases.inputs(one.source):
            assert np.array_equal(kernels.convert(x, one), kernels.convert(x, other))


@pytest.mark.parametrize("drop", [1, 2, 4])
@pytest.mark.parametrize("n", [16, 128, 1024])
def test_division(path: str, n: int, drop: int, cases) -> None:
    fast, slow = cases.bases(n, cases.primes(n, 45, 3) + cases.primes(n, 50, 3), path, threads=2)
    for x in cases.inputs(slow):
        got = kernels.mod_down(x, Divider(fast, drop))
        assert np.array_equal(got, kernels.mod_down(x, Divider(slow, drop)))
    x = cases.residues(slow, 2)
    assert np.array_equal(kernels.mod_down(x, Divider(fast, drop)), kernels.mod_down(x, Divider(slow, drop)))


def test_bad_tables_are_refused(cases) -> None:
    basis = Basis(16, cases.primes(16, 30, 4), "reference")
    with pytest.raises(ValueError, match="in both bases"):
        Converter(basis.select([0, 1]), basis.select([1, 2]))
    with pytest.raises(ValueError, match="differ in n"):
        Converter(basis.select([0]), Basis(32, cases.primes(32, 30, 1), "reference"))
    for drop in (0, 4):
        with pytest.raises(ValueError, match=f"drop: got {drop}, expected 1 to 3"):
            Divider(basis, drop)
