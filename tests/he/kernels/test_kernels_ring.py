"""Ring kernels: the reference against the definitions, then every path against the reference, bit for bit."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from he import kernels
from he.kernels import Basis, paths
from he.kernels.reference import ring as reference

TINY = (16, 32, 128)  # the smallest rings of portable, AVX2 and AVX-512 code
BITS = (30, 40, 47, 48, 49, 50)  # every class of laziness on every path


def test_reference_ntt_is_evaluation_at_odd_powers_of_psi(cases) -> None:
    n, q = 16, cases.primes(16, 30, 1)[0]
    x = cases.residues(Basis(n, [q], "reference"))
    psi = reference.primitive_root(n, q)
    points = [pow(psi, 2 * reference.bit_reverse(j, 4) + 1, q) for j in range(n)]
    expected = [sum(int(c) * pow(p, i, q) for i, c in enumerate(x[0])) % q for p in points]
    assert reference.ntt(x, [q])[0].tolist() == expected


def test_reference_product_of_values_is_the_negacyclic_product(cases) -> None:
    n, q = 16, cases.primes(16, 40, 1)[0]
    basis = Basis(n, [q], "reference")
    x, y = cases.residues(basis), cases.residues(basis)
    product = kernels.intt(kernels.mul(kernels.ntt(x, basis), kernels.ntt(y, basis), basis), basis)[0]
    expected = [0] * n
    for i, a in enumerate(x[0].tolist()):
        for j, b in enumerate(y[0].tolist()):
            expected[(i + j) % n] += a * b if i + j < n else -a * b
    assert product.tolist() == [v % q for v in expected]


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("log_n", range(4, 12))
def test_ntt_both_ways(path: str, log_n: int, bits: int, cases) -> None:
    fast, slow = cases.bases(1 << log_n, cases.primes(1 << log_n, bits, 1), path)
    for x in cases.inputs(slow):
        forward, inverse = kernels.ntt(x, fast), kernels.intt(x, fast)
        assert np.array_equal(forward, kernels.ntt(x, slow))
        assert np.array_equal(inverse, kernels.intt(x, slow))
        assert np.array_equal(kernels.intt(forward, fast), x)


@pytest.mark.parametrize(
    ("log_n", "bits"), [(12, 47), (13, 49), (14, 50), (15, 40), (16, 46), (17, 46), (17, 48)]
)
def test_ntt_of_large_rings(path: str, log_n: int, bits: int, cases) -> None:
    """The reference once for each size; the worst case by going there and back, where any lost bit shows."""
    fast, slow = cases.bases(1 << log_n, cases.primes(1 << log_n, bits, 1), path)
    x = cases.residues(slow)
    assert np.array_equal(kernels.ntt(x, fast), kernels.ntt(x, slow))
    for worst in cases.inputs(slow):
        assert np.array_equal(kernels.intt(kernels.ntt(worst, fast), fast), worst)
        assert np.array_equal(kernels.ntt(kernels.intt(worst, fast), fast), worst)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [40, 50])
@pytest.mark.parametrize("log_n", range(12, 18))
def test_ntt_of_large_rings_on_worst_cases(path: str, log_n: int, bits: int, cases) -> None:
    fast, slow = cases.bases(1 << log_n, cases.primes(1 << log_n, bits, 1), path)
    for x in cases.inputs(slow):
        assert np.array_equal(kernels.ntt(x, fast), kernels.ntt(x, slow))
        assert np.array_equal(kernels.intt(x, fast), kernels.intt(x, slow))


@pytest.mark.parametrize("bits", [22, *BITS])
def test_element_wise(path: str, bits: int, cases) -> None:
    n = 128
    fast, slow = cases.bases(n, cases.primes(n, bits, 2), path)
    edges = list(cases.inputs(slow))
    x = np.stack([a for a in edges for _ in edges])
    y = np.stack(edges * len(edges))
    z = x[::-1].copy()
    for f in (kernels.add, kernels.sub, kernels.mul):
        assert np.array_equal(f(x, y, fast), f(x, y, slow))
        assert np.array_equal(f(x, y[3], fast), f(x, y[3], slow))
    assert np.array_equal(kernels.mul_add(x, y, z, fast), kernels.mul_add(x, y, z, slow))
    assert np.array_equal(kernels.neg(x, fast), kernels.neg(x, slow))
    assert np.array_equal(kernels.tensor(x[1:3], y[5:7], fast), kernels.tensor(x[1:3], y[5:7], slow))
    assert np.array_equal(kernels.tensor(x[1:3], x[1:3], fast), kernels.tensor(x[1:3], x[1:3], slow))
    for scalars in ((0, 1), (-1, 1 << 200), (fast.moduli[0] - 1, -(1 << 49))):
        for g in (kernels.add_scalar, kernels.mul_scalar):
            assert np.array_equal(g(x, scalars, fast), g(x, scalars, slow))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), n=st.sampled_from(TINY), bits=st.sampled_from(BITS))
def test_ring_laws_on_tiny_rings(data: st.DataObject, n: int, bits: int) -> None:
    """a (b + c) = a b + a c and X^k is a ring homomorphism, on every path, with bits as in the reference."""
    q = next(p for p in range((1 << bits) // (2 * n) * 2 * n + 1 - 2 * n, 0, -2 * n) if reference.is_prime(p))
    entry = st.one_of(st.sampled_from([0, 1, q // 2, q - 1]), st.integers(0, q - 1))
    a, b, c = (
        np.array(data.draw(st.lists(entry, min_size=n, max_size=n)), dtype=np.uint64)[None] for _ in range(3)
    )
    k = 2 * data.draw(st.integers(-n, 3 * n)) + 1
    for path in paths()[1:]:
        basis = Basis(n, [q], path, 1)
        a_, b_, c_ = (kernels.ntt(v, basis) for v in (a, b, c))
        left = kernels.mul(a_, kernels.add(b_, c_, basis), basis)
        assert np.array_equal(left, kernels.mul_add(a_, b_, kernels.mul(a_, c_, basis), basis))
        moved = kernels.ntt(kernels.automorphism(a, k, basis), basis)
        assert np.array_equal(moved, kernels.automorphism_ntt(a_, k, basis))
        assert np.array_equal(a_, reference.ntt(a, [q]))


@pytest.mark.parametrize("n", TINY)
def test_every_automorphism(path: str, n: int, cases) -> None:
    fast, slow = cases.bases(n, cases.primes(n, 40, 2), path)
    x = cases.residues(slow, 2)
    x[0, 0, :3] = 0
    for k in range(1, 2 * n, 2):
        assert np.array_equal(kernels.automorphism(x, k, fast), kernels.automorphism(x, k, slow))
        assert np.array_equal(
            kernels.automorphism_ntt(x, k - 4 * n, fast), kernels.automorphism_ntt(x, k, slow)
        )


def test_automorphism_of_a_large_ring(path: str, cases) -> None:
    fast, slow = cases.bases(1 << 15, cases.primes(1 << 15, 40, 1), path)
    x = cases.residues(slow)
    for k in (5, 5**7, 2 * fast.n - 1):
        assert np.array_equal(kernels.automorphism_ntt(x, k, fast), kernels.automorphism_ntt(x, k, slow))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_nothing(path: str, threads: int, cases) -> None:
    n = 256
    moduli = cases.primes(n, 40, 7)
    one, many = Basis(n, moduli, path, 1), Basis(n, moduli, path, threads)
    x, y = cases.residues(one, 3), cases.residues(one, 3)
    assert np.array_equal(kernels.ntt(x, many), kernels.ntt(x, one))
    assert np.array_equal(kernels.mul(x, y, many), kernels.mul(x, y, one))


def test_results_may_replace_inputs(path: str, cases) -> None:
    basis, _ = cases.bases(128, cases.primes(128, 40, 3), path)
    x, y = cases.residues(basis, 2), cases.residues(basis, 2)
    for expected, run in (
        (kernels.ntt(x, basis), lambda a: kernels.ntt(a, basis, out=a)),
        (kernels.intt(x, basis), lambda a: kernels.intt(a, basis, out=a)),
        (kernels.sub(x, y, basis), lambda a: kernels.sub(a, y, basis, out=a)),
        (kernels.sub(y, x, basis), lambda a: kernels.sub(y, a, basis, out=a)),
        (kernels.neg(x, basis), lambda a: kernels.neg(a, basis, out=a)),
    ):
        a = x.copy()
        assert run(a) is a
        assert np.array_equal(a, expected)


def _ntt(x: object, basis: Basis) -> object:
    return kernels.ntt(x, basis)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda x: x.tolist(), TypeError, "got list"),
        (lambda x: x.astype(np.int64), TypeError, "got dtype int64, expected uint64"),
        (lambda x: x[:, :-1].copy(), ValueError, r"got shape \(3, 127\), expected \(..., 3, 128\)"),
        (lambda x: x[:2], ValueError, r"got shape \(2, 128\)"),
        (lambda x: x[0], ValueError, r"got shape \(128,\)"),
        (lambda x: np.asfortranarray(x), ValueError, "expected a C-contiguous array"),
        (lambda x: np.stack([x, x])[::-1], ValueError, "got strides"),
    ],
)
def test_wrong_arrays_are_refused(spoil: Callable[[object], object], error: type, words: str, cases) -> None:
    for path in paths():
        basis = Basis(128, cases.primes(128, 40, 3), path, 1)
        with pytest.raises(error, match=words):
            _ntt(spoil(np.zeros((3, 128), dtype=np.uint64)), basis)


def test_wrong_operands_are_refused(cases) -> None:
    for path in paths():
        basis = Basis(128, cases.primes(128, 40, 3), path, 1)
        x = np.zeros((2, 3, 128), dtype=np.uint64)
        with pytest.raises(ValueError, match="y: got shape"):
            kernels.add(x, np.zeros((3, 3, 128), dtype=np.uint64), basis)
        with pytest.raises(ValueError, match="z: got shape"):
            kernels.mul_add(x, x, x[0], basis)
        with pytest.raises(ValueError, match="scalars: got 2 items, expected 3"):
            kernels.mul_scalar(x, [1, 2], basis)
        with pytest.raises(TypeError, match="scalar: got float"):
            kernels.mul_scalar(x, [1, 2, 3.0], basis)  # type: ignore[list-item]
        with pytest.raises(ValueError, match="got 4, expected an odd integer"):
            kernels.automorphism(x, 4, basis)
        with pytest.raises(ValueError, match="memory"):
            kernels.automorphism_ntt(x, 5, basis, out=x)
        with pytest.raises(ValueError, match="out: got shape"):
            kernels.ntt(x, basis, out=x[0])
        frozen = x.copy()
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            kernels.ntt(x, basis, out=frozen)
        kernels.ntt(frozen, basis)
