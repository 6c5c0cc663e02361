"""What the kernel tests share: each compiled path in turn, moduli of every laziness class, random and
worst-case residues.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import util
from pathlib import Path

import numpy as np
import pytest

# `make sanitize` has its own build tested in place of the installed one: this comes before the first import.
if _folder := os.environ.get("LATTICEWORK_NATIVE"):
    _spec = util.spec_from_file_location("he.kernels._native", next(Path(_folder).glob("_native*.so")))
    assert _spec is not None and _spec.loader is not None
    sys.modules["he.kernels._native"] = util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["he.kernels._native"])

from he.kernels import Basis, paths
from he.kernels.reference.ring import U64, is_prime


@cache
def _primes(n: int, bits: int, count: int) -> tuple[int, ...]:
    """The largest primes = 1 mod 2n below 2^bits."""
    found: list[int] = []
    q = ((1 << bits) - 2) // (2 * n) * 2 * n + 1
    while len(found) < count:
        if is_prime(q):
            found.append(q)
        q -= 2 * n
    return tuple(found)


class Cases:
    """Makers of test data, deterministic."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(20240917)

    def primes(self, n: int, bits: int, count: int) -> tuple[int, ...]:
        return _primes(n, bits, count)

    def bases(self, n: int, moduli: Sequence[int], path: str, threads: int = 1) -> tuple[Basis, Basis]:
        """The same basis on the path under test and on the reference."""
        return Basis(n, moduli, path, threads), Basis(n, moduli, "reference")

    def residues(self, basis: Basis, *lead: int) -> U64:
        """Uniform, shape (*lead, limbs, N)."""
        rows = [self.rng.integers(0, q, (*lead, basis.n), dtype=np.uint64) for q in basis.moduli]
        return np.stack(rows, axis=-2)

    def inputs(self, basis: Basis) -> Iterator[U64]:
        """Random, and the worst: zeros, all q - 1, alternating both ways, a single one. Shape (limbs, N)."""
        top = np.array(basis.moduli, dtype=np.uint64)[:, None] - np.uint64(1)
        even = np.arange(basis.n) % 2 == 0
        yield self.residues(basis)
        yield np.zeros((basis.limbs, basis.n), dtype=np.uint64)
        yield np.ascontiguousarray(np.broadcast_to(top, (basis.limbs, basis.n)))
        yield np.where(even, top, np.uint64(0))
        yield np.where(even, np.uint64(0), top)
        yield np.where(np.arange(basis.n) == basis.n - 1, np.uint64(1), np.uint64(0)) * np.ones_like(top)


@pytest.fixture
def cases() -> Cases:
    return Cases()


_COMPILED = list(paths()[1:]) or [pytest.param("", marks=pytest.mark.skip(reason="no compiled kernels"))]
_SHIM = [pytest.param(name, marks=pytest.mark.slow) for name in ("cuda-host", "cuda-host-integer")]


@pytest.fixture(params=_COMPILED)
def native_path(request: pytest.FixtureRequest) -> str:
    """Every path of this machine's compiled module in turn."""
    return str(request.param)


@pytest.fixture(params=[*_COMPILED, *_SHIM])
def path(request: pytest.FixtureRequest) -> str:
    """Every compiled path of this machine in turn, and in the slow tests the CUDA kernels on the host."""
    return str(request.param)


@pytest.fixture
def native_module() -> object:
    """The compiled module, for what has no Python face."""
    return pytest.importorskip("he.kernels._native")
