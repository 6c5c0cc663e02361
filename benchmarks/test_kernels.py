"""The kernels of he/kernels, path by path: transforms in nanoseconds a butterfly, whole key switches,
samplers, the encoder.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis, Embedding, Gadget
from he.kernels.reference.ring import is_prime

COMPILED = kernels.paths()[1:]
SEED = bytes(range(32))

pytestmark = pytest.mark.skipif(not COMPILED, reason="no compiled kernels")


def primes(n: int, bits: int, count: int) -> list[int]:
    """The largest primes = 1 mod 2n below 2^bits."""
    candidates = range(((1 << bits) - 2) // (2 * n) * 2 * n + 1, 1, -2 * n)
    found = (q for q in candidates if is_prime(q))
    return [next(found) for _ in range(count)]


def residues(basis: Basis, *lead: int) -> Any:
    """Uniform, shape (*lead, limbs, N), in the kernels' own memory."""
    rng = np.random.default_rng(1)
    out = kernels.empty((*lead, basis.limbs, basis.n), basis)
    for i, q in enumerate(basis.moduli):
        out[..., i, :] = rng.integers(0, q, (*lead, basis.n), dtype=np.uint64)
    return out


def per_butterfly(benchmark: Any, log_n: int, rows: int) -> None:
    """ns a butterfly, of the fastest round: N/2 log2 N butterflies a row."""
    if benchmark.stats is not None:
        benchmark.extra_info["ns_per_butterfly"] = (
            benchmark.stats.stats.min * 1e9 / (rows * (log_n << log_n) / 2)
        )


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize("bits", [40, 47, 49, 50])
@pytest.mark.parametrize("log_n", [13, 14, 15, 16, 17])
@pytest.mark.parametrize("kernel", [kernels.ntt, kernels.intt], ids=["forward", "inverse"])
def test_transform_of_one_modulus(
    benchmark: Any, kernel: Callable[..., Any], log_n: int, bits: int, path: str
) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, bits, 1), path, 1)
    x = residues(basis)
    out = kernels.empty(x.shape, basis)
    benchmark(kernel, x, basis, out)
    other = kernels.intt if kernel is kernels.ntt else kernels.ntt
    assert np.array_equal(other(out, basis), x)
    per_butterfly(benchmark, log_n, 1)


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize("log_n", [13, 14, 15])
def test_product_of_one_modulus(benchmark: Any, log_n: int, path: str) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, 49, 1), path, 1)
    x, y = residues(basis, 2)
    out = kernels.empty(x.shape, basis)
    benchmark(kernels.mul, x, y, basis, out)
    assert np.array_equal(out, kernels.mul(x, y, Basis(basis.n, basis.moduli, "reference")))


# log2 N, moduli of the level, special primes, moduli a digit: first with digits small enough for 128 bits of
# security at full depth, then with the three or four digits that a shorter chain could afford.
SWITCHES = [(13, 3, 1, 1), (14, 8, 2, 2), (15, 19, 2, 2), (15, 19, 7, 7), (15, 16, 5, 6), (16, 25, 5, 9)]


def gadget_case(log_n: int, level: int, special: int, digit_limbs: int, path: str, threads: int) -> Any:
    """Gadget, polynomial and key for one entry of SWITCHES: primes of 50, 40 and 49 bits."""
    n = 1 << log_n
    moduli = primes(n, 50, 1) + primes(n, 40, level - 1) + primes(n, 49, special)
    gadget = Gadget(Basis(n, moduli, path, threads), special, digit_limbs)
    return gadget, residues(gadget.level), residues(gadget.basis, gadget.digits, 2)


def switch_id(case: tuple[int, int, int, int]) -> str:
    return "2^{}-l{}-K{}-a{}".format(*case)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize("case", SWITCHES, ids=switch_id)
def test_key_switch(benchmark: Any, case: tuple[int, int, int, int], path: str, threads: int) -> None:
    gadget, x, key = gadget_case(*case, path, threads)
    got = benchmark(kernels.key_switch, x, key, gadget, 5)
    digits = kernels.decompose(x, gadget)
    assert np.array_equal(got, kernels.key_switch_digits(digits, [key], gadget, [5])[0])


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize("case", SWITCHES[:4], ids=switch_id)
def test_sixteen_hoisted_key_switches(benchmark: Any, case: tuple[int, int, int, int], path: str) -> None:
    """Decomposition included; all with the same key, so that the memory for sixteen is not needed."""
    gadget, x, key = gadget_case(*case, path, 1)
    exponents = [pow(5, i, 2 * gadget.basis.n) for i in range(16)]

    def run() -> Any:
        return kernels.key_switch_digits(kernels.decompose(x, gadget), [key] * 16, gadget, exponents)

    got = benchmark(run)
    assert np.array_equal(got[3], kernels.key_switch(x, key, gadget, exponents[3]))


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize("log_n", [13, 15])
def test_uniform_row(benchmark: Any, log_n: int, path: str) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, 40, 1), path, 1)
    got = benchmark(kernels.uniform, SEED, 1, basis)
    assert np.array_equal(got, kernels.uniform(SEED, 1, Basis(basis.n, basis.moduli, "portable")))


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize("log_n", [13, 15])
def test_gaussian(benchmark: Any, log_n: int, path: str) -> None:
    got = benchmark(kernels.gaussian, SEED, 1, 1 << log_n, 3.19, path)
    assert np.array_equal(got, kernels.gaussian(SEED, 1, 1 << log_n, 3.19, "portable"))


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize("log_n", [13, 15])
@pytest.mark.parametrize("way", ["embed", "unembed"])
def test_encoder_transform(benchmark: Any, way: str, log_n: int, path: str) -> None:
    embedding = Embedding(1 << log_n, path, 1)
    slots = np.random.default_rng(1).normal(size=1 << (log_n - 1)).astype(np.complex128)
    coefficients = kernels.unembed(slots, embedding)
    if way == "embed":
        assert np.allclose(benchmark(kernels.embed, coefficients, embedding), slots, atol=1e-10)
    else:
        assert np.array_equal(benchmark(kernels.unembed, slots, embedding), coefficients)


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.parametrize(("log_n", "limbs"), [(13, 1), (13, 3), (15, 4)])
def test_composition_of_messages(benchmark: Any, log_n: int, limbs: int, path: str) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, 40, limbs), path, 1)
    messages = np.random.default_rng(1).integers(-(1 << 38), 1 << 38, basis.n)
    got = benchmark(kernels.compose, kernels.lift(messages, basis), 1.0, basis)
    assert np.array_equal(got, messages.astype(float))
