"""What a handle of `he.kernels` is on the machine: tables uploaded once, then named in every launch."""

from collections.abc import Sequence
from ctypes import Array as CArray
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.cuda.arguments import MOST_LIMBS, Conversion, Modulus, Twiddles
from he.kernels.cuda.machine import Array, Machine

THREADS = 256
"""Of a block, if there is work for as many."""


def words(values: Any) -> npt.NDArray[np.uint64]:
    """Python's integers as an array."""
    return np.array(values, dtype=np.uint64)


def structures(items: "CArray[Any]") -> npt.NDArray[np.uint8]:
    """The bytes of C structures."""
    return np.frombuffer(bytes(items), dtype=np.uint8)


class Basis:
    """Moduli with their twiddles, all computed on the machine."""

    def __init__(self, machine: Machine, n: int, moduli: Sequence[int], roots: Sequence[int]) -> None:
        if len(moduli) > MOST_LIMBS:
            raise ValueError(f"{len(moduli)} moduli given, expected at most {MOST_LIMBS} on a GPU")
        self.machine, self.n, self.moduli = machine, n, tuple(moduli)
        self.rows = (Modulus * len(self.moduli))(*(_modulus(q) for q in self.moduli))
        self.twiddles = self._twiddles(roots)
        row_bytes, first = 8 * n, machine.pointer(self.twiddles)
        for i, row in enumerate(self.rows):
            row.forward, row.backward = first + 2 * i * row_bytes, first + (2 * i + 1) * row_bytes
        self._upload()

    def _twiddles(self, roots: Sequence[int]) -> Array:
        n, limbs, log_n = self.n, len(self.moduli), self.log_n
        powers = [
            [[pow(base, n >> (t + 1), q) for t in range(log_n)] for base in (root, pow(root, -1, q))]
            for root, q in zip(roots, self.moduli, strict=True)
        ]
        machine = self.machine
        out = machine.array((limbs, 2, n), "twiddles")
        squares, moduli = machine.upload(words(powers), "twiddles"), self._rows_upload()
        arguments = Twiddles(*map(machine.pointer, (out, squares, moduli)), log_n)
        threads = min(THREADS, n)
        machine.launch("twiddles", (n // threads, limbs, 2), threads, arguments)
        machine.synchronize()
        return out

    def _rows_upload(self) -> Array:
        return self.machine.upload(structures(self.rows), "moduli")

    def _upload(self) -> None:
        pointer = self.machine.pointer
        self._kept = (self._rows_upload(), self.machine.upload(words(self._factors()), "moduli"))
        self.modulus_table, self.inverse_n_table = map(pointer, self._kept)

    def _factors(self) -> list[int]:
        return [pow(self.n, -1, q) for q in self.moduli]

    @property
    def log_n(self) -> int:
        """log2 N."""
        return self.n.bit_length() - 1

    @property
    def limbs(self) -> int:
        """How many moduli there are."""
        return len(self.moduli)

    def select(self, indices: Sequence[int]) -> "Basis":
        """Some of the moduli, or some again and again, with the same twiddles."""
        part = object.__new__(Basis)
        part.machine, part.n, part.twiddles = self.machine, self.n, self.twiddles
        part.moduli = tuple(self.moduli[i] for i in indices)
        part.rows = (Modulus * len(indices))(*(self.rows[i] for i in indices))
        part._upload()
        return part


def _modulus(q: int) -> Modulus:
    bits = q.bit_length()
    return Modulus(q, (1 << (63 + bits)) // q, 1.0 / q, bits, 0, 0)


class Table:
    """An array on the machine and its address."""

    def __init__(self, machine: Machine, values: npt.NDArray[Any], what: str) -> None:
        self.array = machine.upload(values, what)
        self.pointer = machine.pointer(self.array)


class Conversions:
    """For each row the sources it is converted from, and their factors."""

    def __init__(self, machine: Machine, rows: Sequence[tuple[int, Sequence[int]]]) -> None:
        """rows: (first source, factors followed by -Q), or (source, ()) to copy one."""
        flat = [f for _, factors in rows for f in factors]
        self._factors = Table(machine, words(flat), "factors of a base conversion")
        items: list[Conversion] = []
        place = self._factors.pointer
        for first, factors in rows:
            items.append(Conversion(first, max(len(factors) - 1, 0), place))
            place += 8 * len(factors)
        self._table = Table(machine, structures((Conversion * len(items))(*items)), "base conversion")
        self.pointer = self._table.pointer


class Converter:
    """All of a basis to all of another."""

    def __init__(
        self, source: Basis, target: Basis, inverses: Sequence[int], factors: Sequence[Sequence[int]]
    ) -> None:
        self.source, self.target = source, target
        self.inverses, self.factor_rows = list(inverses), [list(row) for row in factors]
        machine = source.machine
        self.conversions = Conversions(machine, [(0, row) for row in factors])
        self.scales = Table(machine, words(self.inverses), "base conversion")
        over_n = [pow(source.n, -1, q) * f % q for q, f in zip(source.moduli, inverses, strict=True)]
        self.scales_over_n = Table(machine, words(over_n), "base conversion")


class Divider:
    """Division by the product of the converter's source."""

    def __init__(self, converter: Converter, inverses: Sequence[int]) -> None:
        self.converter, self.keep = converter, converter.target.limbs
        self.inverses = Table(converter.source.machine, words(list(inverses)), "division")


class Gadget:
    """Key switching at a level: how every limb of every digit comes from the limbs of the level."""

    def __init__(
        self,
        basis: Basis,
        divider: Divider,
        rescaler: Divider | None,
        converters: Sequence[Converter],
        special_product: Sequence[int],
    ) -> None:
        self.basis, self.divider, self.rescaler = basis, divider, rescaler
        self.level, self.digits = divider.converter.target, len(converters)
        machine = basis.machine
        self.special_product = Table(machine, words(list(special_product)), "key switching")
        self.raised = basis.select(list(range(basis.limbs)) * self.digits)
        rows: list[tuple[int, Sequence[int]]] = []
        scales, first = [], 0
        for converter in converters:
            own = range(first, first + converter.source.limbs)
            rest = iter(converter.factor_rows)
            rows += [(i, ()) if i in own else (first, next(rest)) for i in range(basis.limbs)]
            pairs = zip(converter.source.moduli, converter.inverses, strict=True)
            scales += [pow(basis.n, -1, q) * f % q for q, f in pairs]
            first += len(own)
        self.conversions = Conversions(machine, rows)
        self.scales_over_n = Table(machine, words(scales), "key switching")


class IntegerMatrix:
    """A sparse matrix in groups of four rows; its residues are made for each basis when first needed."""

    def __init__(
        self,
        machine: Machine,
        used: npt.NDArray[np.int64],
        starts: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        places: npt.NDArray[np.int64],
        weights: npt.NDArray[np.int64],
    ) -> None:
        self._machine, self.used, self._weights = machine, used, weights
        self.terms, self.groups = len(weights), len(starts) - 1
        tables = (starts, rows, places)
        self.starts, self.rows, self.places = (Table(machine, t, "matrix") for t in tables)
        self._residues: dict[tuple[int, ...], Table] = {}

    def residues(self, moduli: tuple[int, ...]) -> Table:
        """The integers modulo each, (limbs, terms, 4)."""
        if moduli not in self._residues:
            table = np.stack([(self._weights % q).astype(np.uint64) for q in moduli])
            self._residues[moduli] = Table(self._machine, table, "matrix")
        return self._residues[moduli]
