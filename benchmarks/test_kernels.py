"""The kernels of he/kernels, path by path: transforms in nanoseconds a butterfly, whole key switches,
samplers, the encoder.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmarks.roofline import MULTIPLIES_PER_BUTTERFLY, MULTIPLIES_PER_PRODUCT
from he import kernels
from he.kernels import Basis, Converter, Divider, Embedding, Gadget
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


def place(
    benchmark: Any, scales: dict[str, int], path: str, moved: int, multiplies: int, threads: int = 1
) -> None:
    """Say where the kernel stands on the roofline and on the scaling curves."""
    benchmark.extra_info.update(
        bytes_moved=moved, multiplies=multiplies, threads=threads, scales_with={**scales, "path": path}
    )


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes("bits", tiny=[50], small=[47], paper=[40, 47, 49, 50])
@pytest.mark.sizes("log_n", tiny=[12], small=[13, 14, 15, 16], paper=[13, 14, 15, 16, 17])
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
    butterflies = (log_n << log_n) // 2
    # Read and written once, and the twiddles with their companions.
    place(
        benchmark,
        {"log_n": log_n, "bits": bits},
        path,
        moved=4 * x.nbytes,
        multiplies=MULTIPLIES_PER_BUTTERFLY * butterflies,
    )


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes("log_n", tiny=[12], small=[13, 14, 15], paper=[13, 14, 15, 16, 17])
def test_product_of_one_modulus(benchmark: Any, log_n: int, path: str) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, 49, 1), path, 1)
    x, y = residues(basis, 2)
    out = kernels.empty(x.shape, basis)
    benchmark(kernels.mul, x, y, basis, out)
    assert np.array_equal(out, kernels.mul(x, y, Basis(basis.n, basis.moduli, "reference")))
    place(
        benchmark, {"log_n": log_n}, path, moved=3 * out.nbytes, multiplies=MULTIPLIES_PER_PRODUCT * out.size
    )


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


TINY_SWITCH = [(12, 2, 1, 1)]
SMALL_SWITCHES = [SWITCHES[0], SWITCHES[1], SWITCHES[4]]


def switch_cost(gadget: Gadget) -> tuple[int, int]:
    """(bytes, products) that a key switch cannot do without: the polynomial, the key and the result once; the
    transforms into coefficients, of the raised digits, and of the division by P; conversions and products.
    """
    n, level, whole = gadget.basis.n, gadget.level.limbs, gadget.basis.limbs
    digits, special = gadget.digits, gadget.special
    moved = 8 * n * (level + 2 * digits * whole + 2 * level)
    transforms = level + digits * whole - level + 2 * (special + level)
    butterflies = transforms * n * (n.bit_length() - 1) // 2
    products = n * (2 * digits * whole + level * (whole - level) + level * (level - 1) + 2 * special * level)
    return moved, MULTIPLIES_PER_BUTTERFLY * butterflies + MULTIPLIES_PER_PRODUCT * products


@pytest.mark.sizes("threads", tiny=[1], small=[1, 2], paper=[1, 2])
@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes("case", tiny=TINY_SWITCH, small=SMALL_SWITCHES, paper=SWITCHES, ids=switch_id)
def test_key_switch(benchmark: Any, case: tuple[int, int, int, int], path: str, threads: int) -> None:
    gadget, x, key = gadget_case(*case, path, threads)
    got = benchmark(kernels.key_switch, x, key, gadget, 5)
    digits = kernels.decompose(x, gadget)
    assert np.array_equal(got, kernels.key_switch_digits(digits, [key], gadget, [5])[0])
    moved, multiplies = switch_cost(gadget)
    scales = {"log_n": case[0], "limbs": case[1] + case[2], "threads": threads}
    place(benchmark, scales, path, moved, multiplies, threads)


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes("case", tiny=TINY_SWITCH, small=SMALL_SWITCHES[:2], paper=SWITCHES[:4], ids=switch_id)
def test_sixteen_hoisted_key_switches(benchmark: Any, case: tuple[int, int, int, int], path: str) -> None:
    """Decomposition included; all with the same key, so that the memory for sixteen is not needed."""
    gadget, x, key = gadget_case(*case, path, 1)
    exponents = [pow(5, i, 2 * gadget.basis.n) for i in range(16)]

    def run() -> Any:
        return kernels.key_switch_digits(kernels.decompose(x, gadget), [key] * 16, gadget, exponents)

    got = benchmark(run)
    assert np.array_equal(got[3], kernels.key_switch(x, key, gadget, exponents[3]))


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes(("log_n", "limbs"), tiny=[(11, 3)], small=[(13, 4), (14, 8)], paper=[(13, 4), (15, 19)])
def test_base_conversion(benchmark: Any, log_n: int, limbs: int, path: str) -> None:
    """Half of the moduli to the other half, and division by the last modulus."""
    basis = Basis(1 << log_n, primes(1 << log_n, 49, limbs), path, 1)
    half = limbs // 2
    source, target = basis.select(range(half)), basis.select(range(half, limbs))
    x = residues(source)
    got = benchmark(kernels.convert, x, Converter(source, target))
    slow = Converter(*(Basis(b.n, b.moduli, "reference") for b in (source, target)))
    assert np.array_equal(got, kernels.convert(x, slow))
    products = basis.n * half * (1 + limbs - half)
    place(
        benchmark,
        {"log_n": log_n, "limbs": limbs},
        path,
        moved=x.nbytes + got.nbytes,
        multiplies=MULTIPLIES_PER_PRODUCT * products,
    )


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes(("log_n", "limbs"), tiny=[(11, 3)], small=[(13, 4), (14, 8)], paper=[(13, 4), (15, 19)])
def test_rescaling(benchmark: Any, log_n: int, limbs: int, path: str) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, 49, limbs), path, 1)
    x = residues(basis)
    got = benchmark(kernels.mod_down, x, Divider(basis, 1))
    slow = Divider(Basis(basis.n, basis.moduli, "reference"), 1)
    assert np.array_equal(got, kernels.mod_down(x, slow))
    butterflies = limbs * (log_n << log_n) // 2
    products = basis.n * (limbs - 1) * 2
    place(
        benchmark,
        {"log_n": log_n, "limbs": limbs},
        path,
        moved=x.nbytes + got.nbytes,
        multiplies=MULTIPLIES_PER_BUTTERFLY * butterflies + MULTIPLIES_PER_PRODUCT * products,
    )


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes("log_n", tiny=[11], small=[13, 15])
def test_uniform_row(benchmark: Any, log_n: int, path: str) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, 40, 1), path, 1)
    got = benchmark(kernels.uniform, SEED, 1, basis)
    assert np.array_equal(got, kernels.uniform(SEED, 1, Basis(basis.n, basis.moduli, "portable")))


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes("log_n", tiny=[11], small=[13, 15])
def test_gaussian(benchmark: Any, log_n: int, path: str) -> None:
    got = benchmark(kernels.gaussian, SEED, 1, 1 << log_n, 3.19, path)
    assert np.array_equal(got, kernels.gaussian(SEED, 1, 1 << log_n, 3.19, "portable"))


@pytest.mark.parametrize("path", COMPILED)
@pytest.mark.sizes("log_n", tiny=[11], small=[13, 15])
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
@pytest.mark.sizes(("log_n", "limbs"), tiny=[(11, 2)], small=[(13, 1), (13, 3), (15, 4)])
def test_composition_of_messages(benchmark: Any, log_n: int, limbs: int, path: str) -> None:
    basis = Basis(1 << log_n, primes(1 << log_n, 40, limbs), path, 1)
    messages = np.random.default_rng(1).integers(-(1 << 38), 1 << 38, basis.n)
    got = benchmark(kernels.compose, kernels.lift(messages, basis), 1.0, basis)
    assert np.array_equal(got, messages.astype(float))
