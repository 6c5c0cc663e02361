"""The ring R_Q = Z_Q[X]/(X^N + 1) in residues: the kernels' tables for one parameter set, level by level.

Polynomials are uint64 arrays of shape (..., limbs, N) with residues in [0, q_i). Their domain is in the type:
`Values` holds NTT values, in which products are entry by entry, and is what nearly everything is kept in;
`Coefficients` holds coefficients, which only encoding and decoding see.
"""

from collections.abc import Callable
from math import prod
from typing import NewType, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks.params import CkksParams

Values = NewType("Values", NDArray[np.uint64])
Coefficients = NewType("Coefficients", NDArray[np.uint64])

_Table = TypeVar("_Table")
_GENERATOR = 5  # X -> X^(5^k) rotates the slots left by k


class Ring:
    """Tables for the parameters, built when first needed. Immutable in effect, and safe to share.

    path: one of `he.kernels.paths()`, the fastest by default. threads: for each kernel call, all cores by
    default. Neither changes a result.
    """

    def __init__(self, params: CkksParams, path: str | None = None, threads: int | None = None) -> None:
        self.params = params
        self.full = kernels.Basis(params.n, params.moduli + params.special, path, threads)
        self.embedding = kernels.Embedding(params.n, path, threads)
        self.p = prod(params.special)
        self._tables: dict[tuple[str, int], object] = {}

    def basis(self, level: int) -> kernels.Basis:
        """q_0 .. q_level."""
        return self._table("basis", level, lambda: self.full.select(range(level + 1)))

    def extended(self, level: int) -> kernels.Basis:
        """q_0 .. q_level and the special primes."""
        top, special = len(self.params.moduli), len(self.params.special)
        rows = (*range(level + 1), *range(top, top + special))
        return self._table("extended", level, lambda: self.full.select(rows))

    def gadget(self, level: int) -> kernels.Gadget:
        """The key switch of a polynomial mod q_0 .. q_level."""
        special, digit = len(self.params.special), self.params.digit_primes
        return self._table("gadget", level, lambda: kernels.Gadget(self.extended(level), special, digit))

    def rescaler(self, level: int) -> kernels.Divider:
        """Division by q_level."""
        return self._table("rescaler", level, lambda: kernels.Divider(self.basis(level), 1))

    def finisher(self, level: int) -> kernels.Divider:
        """Division by q_level P: the end of a key switch and a rescaling in one."""
        drop = 1 + len(self.params.special)
        return self._table("finisher", level, lambda: kernels.Divider(self.extended(level), drop))

    @property
    def public(self) -> kernels.Basis:
        """q_0 .. q_L and the first special prime: that of public encryption keys."""
        return self._table("public", 0, lambda: self.full.select(range(len(self.params.moduli) + 1)))

    def galois(self, steps: int) -> int:
        """The exponent k of the automorphism X -> X^k that rotates the slots left by `steps`."""
        return pow(_GENERATOR, steps % self.params.slots, 2 * self.params.n)

    @property
    def conjugation(self) -> int:
        """The exponent of the automorphism that conjugates the slots, 2N - 1."""
        return 2 * self.params.n - 1

    def _table(self, name: str, level: int, make: Callable[[], _Table]) -> _Table:
        """Two threads may build the same table; both are right and one is kept."""
        if not 0 <= level <= self.params.top_level:
            raise ValueError(f"level is {level}, expected 0 to {self.params.top_level}")
        key = (name, level)
        if key not in self._tables:
            self._tables[key] = make()
        return cast(_Table, self._tables[key])

    def __repr__(self) -> str:
        return f"Ring({self.params!r}, path={self.full.path!r}, threads={self.full.threads})"
