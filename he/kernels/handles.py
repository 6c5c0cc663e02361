"""Precomputed tables, opaque and immutable: built once by the caller, then passed to every kernel call."""

from collections.abc import Sequence
from math import prod
from typing import Any

from he.kernels.dispatch import (
    MAX_MODULUS_BITS,
    REFERENCE,
    check_ring_degree,
    choose_path,
    choose_threads,
    host_path,
    int_in,
    native,
    on_device,
)
from he.kernels.reference.embedding import roots, slot_order
from he.kernels.reference.ring import is_prime, primitive_root
from he.kernels.reference.switching import digit_ranges


class Basis:
    """A residue number system at ring degree `n`: distinct primes q = 1 mod 2N below 2^50, one limb each.

    `path` is one of `paths()` (None: the fastest), `threads` the number of threads its calls may use (None:
    all cores). Building computes the twiddle tables, 16 N bytes a modulus; `select` shares them.
    """

    __slots__ = ("_host", "handle", "moduli", "n", "path", "threads")

    def __init__(
        self, n: int, moduli: Sequence[int], path: str | None = None, threads: int | None = None
    ) -> None:
        self.n = check_ring_degree(n)
        self.moduli = _checked_moduli(self.n, moduli)
        self.path, self.threads = choose_path(path), choose_threads(threads)
        self._host: Basis | None = None
        self.handle: Any = None
        if self.path != REFERENCE:
            roots_of_unity = [primitive_root(self.n, q) for q in self.moduli]
            self.handle = native(self.path).Basis(
                self.n, self.moduli, roots_of_unity, self.path, self.threads
            )

    @property
    def limbs(self) -> int:
        """How many moduli there are."""
        return len(self.moduli)

    @property
    def host(self) -> "Basis":
        """The same moduli where the CPU computes: this basis itself unless its path is a device's."""
        if not on_device(self.path):
            return self
        if self._host is None:
            self._host = Basis(self.n, self.moduli, None, self.threads)
        return self._host

    def select(self, indices: Sequence[int]) -> "Basis":
        """The basis of the moduli at these indices, in this order; the tables are shared, nothing is
        recomputed.
        """
        picked = [int_in(i, "index") for i in indices]
        if not picked or len(set(picked)) != len(picked) or not all(0 <= i < self.limbs for i in picked):
            raise ValueError(
                f"indices: got {picked}, expected one or more different ones from 0 to {self.limbs - 1}"
            )
        part = object.__new__(Basis)
        part._host = None if self._host is None else self._host.select(picked)
        part.n, part.path, part.threads = self.n, self.path, self.threads
        part.moduli = tuple(self.moduli[i] for i in picked)
        part.handle = None if self.handle is None else self.handle.select(picked)
        return part

    def __repr__(self) -> str:
        bits = " ".join(str(q.bit_length()) for q in self.moduli)
        return f"Basis(n={self.n}, bits=[{bits}], path={self.path!r}, threads={self.threads})"


def _checked_moduli(n: int, moduli: Sequence[int]) -> tuple[int, ...]:
    checked = tuple(int_in(q, "modulus") for q in moduli)
    if not checked or len(set(checked)) != len(checked):
        raise ValueError(f"moduli: got {list(checked)}, expected one or more different primes")
    for q in checked:
        if q >> MAX_MODULUS_BITS or q % (2 * n) != 1 or not is_prime(q):
            raise ValueError(f"modulus: got {q}, expected a prime = 1 mod {2 * n} below 2^{MAX_MODULUS_BITS}")
    return checked


class Converter:
    """Tables for `convert` between two bases of different moduli and the same degree, path and threads."""

    __slots__ = ("handle", "source", "target")

    def __init__(self, source: Basis, target: Basis) -> None:
        if (source.n, source.path, source.threads) != (target.n, target.path, target.threads):
            raise ValueError(f"bases differ in n, path or threads: {source!r} and {target!r}")
        shared = set(source.moduli) & set(target.moduli)
        if shared:
            raise ValueError(f"moduli in both bases: got {sorted(shared)}, expected none")
        self.source, self.target = source, target
        self.handle: Any = None
        if source.path != REFERENCE:
            self.handle = native(source.path).Converter(
                source.handle, target.handle, *_conversion(source.moduli, target.moduli)
            )


def _conversion(source: Sequence[int], target: Sequence[int]) -> tuple[list[int], list[list[int]]]:
    """(Q/q_i)^-1 mod q_i for each i; and for each p_j the factors Q/q_i mod p_j, followed by -Q mod p_j."""
    q = prod(source)
    inverses = [pow(q // s, -1, s) for s in source]
    return inverses, [[*(q // s % p for s in source), -q % p] for p in target]


class Divider:
    """Tables for `mod_down`: division by the product of the last `drop` moduli of a basis."""

    __slots__ = ("basis", "drop", "handle", "quotient")

    def __init__(self, basis: Basis, drop: int) -> None:
        self.basis, self.drop = basis, int_in(drop, "drop")
        if not 1 <= self.drop < basis.limbs:
            raise ValueError(f"drop: got {drop}, expected 1 to {basis.limbs - 1} of {basis.limbs} limbs")
        keep = basis.limbs - self.drop
        self.quotient = basis.select(range(keep))
        """The basis of the result: all but the last `drop` moduli."""
        self.handle: Any = None
        if basis.path != REFERENCE:
            converter = Converter(basis.select(range(keep, basis.limbs)), self.quotient)
            divisor = prod(basis.moduli[keep:])
            inverses = [pow(divisor, -1, q) for q in self.quotient.moduli]
            self.handle = native(basis.path).Divider(converter.handle, inverses)


class Gadget:
    """Tables for key switching at one level.

    `basis` has the l moduli of the level followed by the `special` (K) primes whose product P is divided out;
    digits are made of `digit_limbs` moduli each, the last one of what is left. To keep noise small, P should
    exceed the product of any digit.
    """

    __slots__ = ("basis", "digit_limbs", "divider", "handle", "rescaler", "special")

    def __init__(self, basis: Basis, special: int, digit_limbs: int) -> None:
        self.divider = Divider(basis, special)
        self.basis, self.special, self.digit_limbs = (
            basis,
            self.divider.drop,
            int_in(digit_limbs, "digit_limbs"),
        )
        if self.digit_limbs < 1:
            raise ValueError(f"digit_limbs: got {digit_limbs}, expected 1 or more")
        self.rescaler = Divider(basis, special + 1) if basis.limbs > special + 1 else None
        """Division by P and the last modulus of the level at once; None at the lowest level."""
        self.handle: Any = None
        if basis.path != REFERENCE:
            last = None if self.rescaler is None else self.rescaler.handle
            self.handle = native(basis.path).Gadget(
                basis.handle, self.divider.handle, last, self._converters(), self._special_product()
            )

    @property
    def level(self) -> Basis:
        """The basis of the l moduli without the special primes."""
        return self.divider.quotient

    @property
    def digits(self) -> int:
        """How many digits there are at this level."""
        return len(digit_ranges(self.level.limbs, self.digit_limbs))

    def _special_product(self) -> list[int]:
        product = prod(self.basis.moduli[self.level.limbs :])
        return [product % q for q in self.level.moduli]

    def _converters(self) -> list[Any]:
        """One per digit: from its moduli to all the others, in the order of the basis."""
        out = []
        for first, last in digit_ranges(self.level.limbs, self.digit_limbs):
            rest = [i for i in range(self.basis.limbs) if not first <= i < last]
            out.append(Converter(self.basis.select(range(first, last)), self.basis.select(rest)).handle)
        return out


class Embedding:
    """Tables of the encoder's transform at ring degree `n`: 24 n bytes, independent of the moduli."""

    __slots__ = ("handle", "n", "path", "threads")

    def __init__(self, n: int, path: str | None = None, threads: int | None = None) -> None:
        self.n = check_ring_degree(n)
        self.path, self.threads = host_path(choose_path(path)), choose_threads(threads)
        self.handle: Any = None
        if self.path != REFERENCE:
            half = self.n // 2
            self.handle = native(self.path).Embedding(
                *roots(half), slot_order(half).astype("uint32"), self.path, self.threads
            )
