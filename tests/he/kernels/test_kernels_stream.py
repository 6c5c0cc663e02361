"""Random polynomials: the vectors of RFC 8439, the exact definitions on every path, and the statistics of the
samplers.
"""

import hashlib
from math import exp

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis
from he.kernels.reference import stream as reference
from he.kernels.reference.ring import is_prime

SEED = bytes(range(32))

# RFC 8439, section 2.3.2: key 00..1f, counter 1, nonce 000000090000004a00000000.
RFC_BLOCK = bytes.fromhex(
    "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
    "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
)
RFC_NONCE = bytes.fromhex("000000090000004a00000000")
# RFC 8439, appendix A.1, test vector 1: key, nonce and counter zero.
RFC_ZERO_BLOCK = bytes.fromhex(
    "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
    "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
)


def test_reference_block_is_rfc_8439() -> None:
    assert reference.chacha20_block(SEED, 1, RFC_NONCE) == RFC_BLOCK
    assert reference.chacha20_block(bytes(32), 0, bytes(12)) == RFC_ZERO_BLOCK


def test_keystream_is_rfc_8439(native_path: str, native_module) -> None:
    words = np.empty(8 * 37, dtype=np.uint64)  # a number of blocks that no vector length divides
    native_module.keystream(native_path, SEED, np.frombuffer(RFC_NONCE, dtype="<u4").tolist(), 1, words)
    expected = b"".join(reference.chacha20_block(SEED, 1 + i, RFC_NONCE) for i in range(37))
    assert words.astype("<u8").tobytes() == expected
    assert expected.startswith(RFC_BLOCK)


@pytest.mark.parametrize("n", [16, 32, 128, 4096])
def test_uniform(path: str, n: int, cases) -> None:
    moduli = cases.primes(n, 50, 1) + cases.primes(n, 40, 1) + cases.primes(n, 22, 1)
    fast, slow = cases.bases(n, moduli, path, threads=2)
    got = kernels.uniform(SEED, 7, fast)
    assert np.array_equal(got, kernels.uniform(SEED, 7, slow))
    for basis in (fast, slow):
        out = np.empty_like(got)
        assert kernels.uniform(SEED, 7, basis, out) is out
        assert np.array_equal(out, got)
    assert np.array_equal(kernels.uniform(SEED, 7, fast.select([2, 0])), got[[2, 0]])
    assert not np.array_equal(kernels.uniform(SEED, 8, fast), got)


def test_uniform_rejects_like_the_reference(native_path: str, cases) -> None:
    """A word is refused with probability (2^64 mod q) / 2^64: so search for a stream that has one."""
    n = 1 << 12
    q = next(p for p in range((7 << 47) + 1, 1 << 50, 2 * n) if (1 << 64) % p > p // 2 and is_prime(p))
    fast, slow = cases.bases(n, [q], native_path)
    limit = (1 << 64) // q * q
    stream = next(s for s in range(1000) if _rejections(fast, s, limit) > 0)
    assert np.array_equal(kernels.uniform(SEED, stream, fast), kernels.uniform(SEED, stream, slow))


def _rejections(basis: Basis, stream: int, limit: int) -> int:
    from he.kernels import _native  # the keystream has no Python face of its own

    words = np.empty(basis.n, dtype=np.uint64)
    nonce = np.frombuffer(reference.nonce(stream, basis.moduli[0]), dtype="<u4").tolist()
    _native.keystream(basis.path, SEED, nonce, 0, words)
    return int((words >= np.uint64(limit)).sum())


@pytest.mark.parametrize("n", [16, 64, 2048])
def test_samplers(path: str, n: int) -> None:
    assert np.array_equal(kernels.ternary(SEED, 3, n, path), reference.ternary(SEED, 3, n))
    assert np.array_equal(kernels.gaussian(SEED, 4, n, 3.19, path), reference.gaussian(SEED, 4, n, 3.19))
    steps = [0, 1, 1 << 63, (1 << 64) - 1]
    assert np.array_equal(kernels.sample(SEED, 5, n, steps, 2, path), reference.sample(SEED, 5, n, steps, 2))


def test_lift(path: str, cases) -> None:
    n = 128
    fast, slow = cases.bases(n, cases.primes(n, 50, 1) + cases.primes(n, 22, 1), path)
    edges = [0, 1, -1, (1 << 62) - 1, 1 - (1 << 62), 1 << 52, -(1 << 52), fast.moduli[0], -fast.moduli[1]]
    values = np.resize(np.array(edges, dtype=np.int64), (2, n))
    values[1] = cases.rng.integers(-(1 << 62) + 1, 1 << 62, n)
    for ntt in (False, True):
        assert np.array_equal(kernels.lift(values, fast, ntt), kernels.lift(values, slow, ntt))


def test_thresholds_of_the_gaussian() -> None:
    """They are the cumulative weights of exp(-x^2 / 2 sigma^2), to double precision, and symmetric."""
    sigma = 3.19
    thresholds = reference.gaussian_thresholds(sigma)
    cut = len(thresholds) // 2
    weights = [exp(-(x**2) / (2 * sigma**2)) for x in range(-60, 61)]
    cumulative = np.cumsum(weights) / sum(weights)
    assert np.allclose(
        [t / 2**64 for t in thresholds], cumulative[60 - cut : 60 + cut], rtol=1e-12, atol=1e-18
    )
    assert all(a + b == 1 << 64 for a, b in zip(thresholds, reversed(thresholds), strict=True))


def _chi_square(draws: np.ndarray, values: list[int], probabilities: list[float]) -> float:
    counts = np.array([(draws == v).sum() for v in values], dtype=float)
    expected = np.array(probabilities) * len(draws)
    return float(((counts - expected) ** 2 / expected).sum())


def test_statistics_of_a_million_ternary_draws() -> None:
    draws = np.concatenate([kernels.ternary(SEED, 100 + i, 1 << 17, _fast()) for i in range(8)])
    assert set(np.unique(draws)) == {-1, 0, 1}
    assert _chi_square(draws, [-1, 0, 1], [1 / 3] * 3) < 13.8  # 2 degrees of freedom, 1 in 1000


def test_statistics_of_a_million_gaussian_draws() -> None:
    sigma = 3.19
    draws = np.concatenate([kernels.gaussian(SEED, 200 + i, 1 << 17, sigma, _fast()) for i in range(8)])
    weights = np.array([exp(-(x**2) / (2 * sigma**2)) for x in range(-60, 61)])
    probabilities = weights / weights.sum()
    inner = list(range(-11, 12))
    chi = _chi_square(draws, inner, [probabilities[60 + x] for x in inner])
    assert chi < 49.7  # 23 cells, 1 in 1000
    variance = (np.arange(-60, 61) ** 2 * probabilities).sum()
    assert abs(draws.mean()) < 4 * np.sqrt(variance / len(draws))
    assert abs(draws.var() / variance - 1) < 4 * np.sqrt(2 / len(draws))


def test_uniform_residues_look_uniform(cases) -> None:
    n = 1 << 15
    basis = Basis(n, cases.primes(n, 40, 8), _fast())
    top = (kernels.uniform(SEED, 9, basis).astype(float) / np.array(basis.moduli)[:, None] * 64).astype(int)
    assert (
        _chi_square(top.ravel(), list(range(64)), [1 / 64] * 64) < 103.5
    )  # 63 degrees of freedom, 1 in 1000


def _fast() -> str:
    if not kernels.available():
        pytest.skip("compiled kernels not installed")
    return kernels.paths()[-1]


def test_streams_are_fixed_for_ever() -> None:
    """Seeds stand for polynomials on the wire: these digests may never change."""
    basis = Basis(16, [65537, 786433], "reference")
    drawn = kernels.uniform(SEED, 1, basis).astype("<u8").tobytes()
    small = (
        kernels.gaussian(SEED, 1, 16, 3.19, "reference").tolist()
        + kernels.ternary(SEED, 2, 16, "reference").tolist()
    )
    assert hashlib.sha256(drawn).hexdigest()[:16] == "96e05e732fb33090"
    assert hashlib.sha256(str(small).encode()).hexdigest()[:16] == "ad913ee81d147f35"


@pytest.mark.parametrize(
    ("seed", "stream", "error", "words"),
    [
        (bytes(31), 0, ValueError, "seed: got 31 bytes, expected 32"),
        ("x" * 32, 0, TypeError, "seed: got str"),
        (SEED, -1, ValueError, "stream: got -1"),
        (SEED, 1 << 32, ValueError, "stream: got 4294967296"),
        (SEED, 1.5, TypeError, "stream: got float"),
    ],
)
def test_bad_seeds_are_refused(seed: bytes, stream: int, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        kernels.ternary(seed, stream, 16, "reference")
    with pytest.raises(error, match=words):
        kernels.uniform(seed, stream, Basis(16, [97], "reference"))


def test_bad_samplers_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        kernels.sample(SEED, 0, 16, [5, 4], 0)
    with pytest.raises(ValueError, match="ascending"):
        kernels.sample(SEED, 0, 16, [1 << 64], 0)
    with pytest.raises(ValueError, match=r"sigma: got 0\.1"):
        kernels.gaussian(SEED, 0, 16, 0.1)
    with pytest.raises(ValueError, match="n: got 24"):
        kernels.ternary(SEED, 0, 24)
