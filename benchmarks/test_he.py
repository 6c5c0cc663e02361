"""The verbs of the CKKS engine at every size, level and number of threads, checked, with bits of precision.

Ratios to SEAL, OpenFHE and Lattigo for the same verbs are taken in turns by `benchmarks/peers`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from benchmarks.ckks import LEAST_BITS, SPECS, Setting, bits, build
from he import kernels
from he.ckks import encoding, encrypt, evaluate, keyswitch, linear, poly, transform
from he.ckks.cipher import Ciphertext

ROTATIONS = range(1, 17)
TINY, SMALL, PAPER = ["n13-3primes"], ["n13-3primes", "n14-8primes"], list(SPECS)
DIAGONALS, BLOCK = 16, 4
CHEBYSHEV = [0.0, 0.5, 0.0, 0.25]  # 0.5 T_1 + 0.25 T_3

Verb = tuple[Callable[[Setting], Any], Callable[[Setting, Any], Any], Callable[[Setting], Any]]


def _decrypted(s: Setting, x: Ciphertext) -> Any:
    return s.decrypt(x)


VERBS: dict[str, Verb] = {
    "encode": (
        lambda s: encoding.encode(s.ring, s.values, s.ring.params.top_level, s.ring.params.scale),
        lambda s, got: encoding.decode(s.ring, got).real,
        lambda s: s.values,
    ),
    "encrypt_public": (lambda s: encrypt.encrypt_public(s.public, s.plain), _decrypted, lambda s: s.values),
    "encrypt_secret": (lambda s: encrypt.encrypt(s.secret, s.plain), _decrypted, lambda s: s.values),
    "decrypt": (lambda s: s.decrypt(s.x), lambda s, got: got, lambda s: s.values),
    "add": (lambda s: evaluate.add(s.ring, s.x, s.x), _decrypted, lambda s: 2 * s.values),
    "add_plain": (lambda s: evaluate.add_plain(s.ring, s.x, s.plain), _decrypted, lambda s: 2 * s.values),
    "multiply_plain": (
        lambda s: evaluate.multiply_plain(s.ring, s.x, s.plain), _decrypted, lambda s: s.values**2,
    ),
    "multiply": (lambda s: evaluate.multiply_rescale(s.keys, s.x, s.x), _decrypted, lambda s: s.values**2),
    "rotate": (lambda s: keyswitch.rotate(s.keys, s.x, 1), _decrypted, lambda s: np.roll(s.values, -1)),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def settings() -> Iterator[None]:
    """Keys are kept between the verbs of one parameter set, and given back at the end."""
    yield
    made.cache_clear()


@lru_cache(maxsize=1)
def made(name: str, threads: int) -> Setting:
    return build(name, threads or None)


def finish(benchmark: Any, s: Setting, name: str, threads: int, got: Any, expected: Any) -> None:
    """Demand a right result, and say what it was."""
    precision = bits(got, expected)
    spec = SPECS[name]
    scales = {
        "log_n": spec.log_n,
        "primes": spec.depth + 1,
        "threads": threads or kernels.Basis(16, [97]).threads,
    }
    benchmark.extra_info.update(
        precision_bits=round(precision, 1), threads=scales["threads"], scales_with=scales, **s.facts()
    )
    assert precision > LEAST_BITS


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.sizes("threads", tiny=[1], small=[1, 2], paper=[1, 2])
@pytest.mark.sizes("name", tiny=TINY, small=SMALL, paper=PAPER)
def test_verb(benchmark: Any, name: str, threads: int, verb: str) -> None:
    s = made(name, threads)
    call, read, expected = VERBS[verb]
    benchmark.pedantic(call, args=(s,), rounds=11, warmup_rounds=1)
    finish(benchmark, s, name, threads, read(s, call(s)), expected(s))


@pytest.mark.sizes("level", tiny=[1], small=[1, 3, 5, 7], paper=[1, 4, 8, 12, 15])
@pytest.mark.sizes("name", tiny=TINY, small=["n14-8primes"], paper=["n15-16primes"])
def test_rotation_by_level(benchmark: Any, name: str, level: int) -> None:
    s = made(name, 1)
    x = evaluate.drop(s.ring, s.x, level)
    benchmark.pedantic(keyswitch.rotate, args=(s.keys, x, 1), rounds=11, warmup_rounds=1)
    precision = bits(s.decrypt(keyswitch.rotate(s.keys, x, 1)), np.roll(s.values, -1))
    benchmark.extra_info.update(precision_bits=round(precision, 1), scales_with={"level": level})
    assert precision > LEAST_BITS


@pytest.mark.sizes("name", tiny=TINY, small=SMALL, paper=["n13-3primes", "n14-8primes", "n15-19primes"])
def test_sixteen_hoisted_rotations(benchmark: Any, name: str) -> None:
    """`fraction_of_singles`: of sixteen single rotations, in turns with the hoisted ones."""
    s = build(name, 1, ROTATIONS)
    singles: list[float] = []

    def run_singles() -> None:
        start = time.perf_counter()
        for k in ROTATIONS:
            keyswitch.rotate(s.keys, s.x, k)
        singles.append(time.perf_counter() - start)

    hoisted = benchmark.pedantic(
        lambda: keyswitch.rotate_many(s.keys, s.x, ROTATIONS), setup=run_singles, rounds=5
    )
    if benchmark.stats is not None:
        fraction = benchmark.stats.stats.median / statistics.median(singles)
        benchmark.extra_info["fraction_of_singles"] = round(fraction, 2)
    for k, rotated in zip(ROTATIONS, hoisted, strict=True):
        np.testing.assert_array_equal(rotated.data, keyswitch.rotate(s.keys, s.x, k).data)


@pytest.mark.sizes("name", tiny=TINY, small=SMALL, paper=["n13-3primes", "n14-8primes", "n15-16primes"])
def test_linear_map(benchmark: Any, name: str) -> None:
    """Sixteen diagonals in four giant steps of four baby steps."""
    s = build(name, 1, sorted({*range(1, BLOCK), *range(BLOCK, DIAGONALS, BLOCK)}))
    rng = np.random.default_rng(1)
    diagonals = {k: rng.uniform(-1, 1, s.ring.params.slots) / DIAGONALS for k in range(DIAGONALS)}
    mapping = transform.encode(s.ring, linear.split(diagonals, BLOCK), s.x.level, s.ring.params.scale)
    got = benchmark.pedantic(transform.apply, args=(s.keys, s.x, mapping), rounds=5, warmup_rounds=1)
    expected = sum(diagonal * np.roll(s.values, -k) for k, diagonal in diagonals.items())
    finish(benchmark, s, name, 1, s.decrypt(got), expected)


@pytest.mark.sizes("name", tiny=TINY, small=SMALL, paper=["n13-3primes", "n14-8primes", "n15-16primes"])
def test_polynomial_of_degree_3(benchmark: Any, name: str) -> None:
    s = made(name, 1)
    got = benchmark.pedantic(
        poly.evaluate_polynomial, args=(s.keys, s.x, CHEBYSHEV, "chebyshev"), rounds=5, warmup_rounds=1
    )
    finish(benchmark, s, name, 1, s.decrypt(got), np.polynomial.chebyshev.chebval(s.values, CHEBYSHEV))
