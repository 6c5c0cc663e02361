"""The launch layer: what `he.kernels._native` offers, with the same names and arguments, as launches.

Everything may have leading axes: as many polynomials, or ciphertexts, go through one launch.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.cuda import arguments as of
from he.kernels.cuda import tables
from he.kernels.cuda.arguments import OPERATIONS, TOGETHER
from he.kernels.cuda.machine import Array, Machine
from he.kernels.cuda.tables import THREADS, Conversions, Table, words

LOG_TILE = 12
"""log2 of what a block transforms in shared memory; the source says the same."""
STREAM_THREADS = 256
MOST_POLYNOMIALS = 65535
"""In one launch: the last axis of a grid."""


def _batch(x: Array) -> int:
    """Polynomials in (..., limbs, N); ValueError if one launch cannot take them."""
    count = int(prod(x.shape[:-2]))
    if count > MOST_POLYNOMIALS:
        raise ValueError(f"{count} polynomials given, expected at most {MOST_POLYNOMIALS} in a launch")
    return count


class Module:
    """Launches on one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    # Handles, as `he.kernels.handles` makes them.

    def Basis(
        self, n: int, moduli: Sequence[int], roots: Sequence[int], path: str, threads: int
    ) -> tables.Basis:
        """Tables of moduli. path and threads mean nothing here."""
        return tables.Basis(self.machine, n, moduli, roots)

    Converter, Divider, Gadget = tables.Converter, tables.Divider, tables.Gadget

    def IntegerMatrix(self, rows: int, columns: int, *grouped: npt.NDArray[np.int64]) -> tables.IntegerMatrix:
        """A sparse matrix of integers, grouped as `he.kernels.matrix` does it."""
        return tables.IntegerMatrix(self.machine, *grouped)

    # Memory.

    def empty(self, shape: tuple[int, ...]) -> Array:
        """Uninitialised residues."""
        return self.machine.array(tuple(shape), f"polynomials of shape {tuple(shape)}")

    def to_device(self, x: npt.NDArray[np.uint64]) -> Array:
        """A copy on the machine."""
        return self.machine.upload(x, f"polynomials of shape {x.shape}")

    def to_host(self, x: Array) -> npt.NDArray[np.uint64]:
        """A copy on the host."""
        return self.machine.download(x)

    def _temporary(self, what: str, *shape: int) -> Array:
        return self.machine.array(shape, what)

    # Transforms.

    def ntt(self, basis: tables.Basis, x: Array, out: Array) -> None:
        """(..., limbs, N) -> the same."""
        a = self._transform(basis, x, out)
        self._forward(basis, a, _batch(x))

    def intt(self, basis: tables.Basis, x: Array, out: Array) -> None:
        """(..., limbs, N) -> the same."""
        a = self._transform(basis, x, out)
        self._backward(basis, a, _batch(x))

    def _transform(self, basis: tables.Basis, x: Array | None, out: Array) -> of.Transform:
        row = basis.limbs * basis.n
        return of.Transform(
            input=0 if x is None else self.machine.pointer(x),
            out=self.machine.pointer(out),
            in_batch=row,
            out_batch=row,
            moduli=basis.modulus_table,
            factors=basis.inverse_n_table,
            log_n=basis.log_n,
            over_count=1,
            over_repeat=1,
            over=(1,),
        )

    def _forward(self, basis: tables.Basis, a: of.Transform, batch: int, work: Array | None = None) -> None:
        """Columns and tiles, or tiles alone. A conversion happens in whichever comes first.

        work: for a division, which happens at the end: what is between columns and tiles.
        """
        begin = "converted_" if a.sources else ""
        if basis.log_n > LOG_TILE:
            columns = of.Transform.from_buffer_copy(a)
            if work is not None:
                columns.out, columns.out_batch = self.machine.pointer(work), basis.limbs * basis.n
            self._launch(f"{begin or 'forward_'}columns", 1 << LOG_TILE, basis.limbs, batch, columns)
            a = of.Transform.from_buffer_copy(a)
            a.input, a.in_batch, begin = columns.out, columns.out_batch, ""
        end = "divided_" if work is not None else "" if begin else "forward_"
        self._tiles(f"{begin}{end}tiles", basis, a, batch)

    def _backward(self, basis: tables.Basis, a: of.Transform, batch: int) -> None:
        self._tiles("backward_tiles", basis, a, batch)
        if basis.log_n > LOG_TILE:
            self._launch("backward_columns", 1 << LOG_TILE, basis.limbs, batch, a)

    def _tiles(self, kernel: str, basis: tables.Basis, a: of.Transform, batch: int) -> None:
        tile = min(basis.n, 1 << LOG_TILE)
        self.machine.launch(kernel, (basis.n // tile, basis.limbs, batch), max(tile // 16, 1), a)

    def _launch(self, kernel: str, entries: int, rows: int, batch: int, a: Any) -> None:
        """A thread for each of the entries of every row."""
        threads = min(THREADS, entries)
        self.machine.launch(kernel, (entries // threads, rows, batch), threads, a)

    # Entry by entry.

    def add(self, basis: tables.Basis, x: Array, y: Array, out: Array) -> None:
        """x + y, y repeated."""
        self._elementwise("add", basis, x, out, y)

    def sub(self, basis: tables.Basis, x: Array, y: Array, out: Array) -> None:
        """x - y, y repeated."""
        self._elementwise("sub", basis, x, out, y)

    def mul(self, basis: tables.Basis, x: Array, y: Array, out: Array) -> None:
        """x y, y repeated."""
        self._elementwise("mul", basis, x, out, y)

    def mul_add(self, basis: tables.Basis, x: Array, y: Array, z: Array, out: Array) -> None:
        """x y + z, y repeated."""
        self._elementwise("mul_add", basis, x, out, y, z)

    def neg(self, basis: tables.Basis, x: Array, out: Array) -> None:
        """-x."""
        self._elementwise("neg", basis, x, out)

    def add_scalar(self, basis: tables.Basis, x: Array, scalars: Sequence[int], out: Array) -> None:
        """x + s, a residue s for each limb."""
        self._elementwise("add_scalar", basis, x, out, scalars=tuple(scalars))

    def mul_scalar(self, basis: tables.Basis, x: Array, scalars: Sequence[int], out: Array) -> None:
        """x s, a residue s for each limb."""
        self._elementwise("mul_scalar", basis, x, out, scalars=tuple(scalars))

    def copy(self, basis: tables.Basis, x: Array, out: Array) -> None:
        """x."""
        self._elementwise("copy", basis, x, out)

    def zero(self, basis: tables.Basis, out: Array) -> None:
        """0."""
        self._elementwise("zero", basis, out, out)

    def _elementwise(
        self,
        operation: str,
        basis: tables.Basis,
        x: Array,
        out: Array,
        y: Array | None = None,
        z: Array | None = None,
        scalars: tuple[int, ...] = (),
    ) -> None:
        pointer, row = self.machine.pointer, basis.limbs * basis.n
        a = of.Elementwise(
            x=pointer(x),
            y=0 if y is None else pointer(y),
            z=0 if z is None else pointer(z),
            out=pointer(out),
            y_polynomials=0 if y is None else _batch(y),
            x_batch=row,
            out_batch=row,
            moduli=basis.modulus_table,
            scalars=scalars,
            log_n=basis.log_n,
            operation=OPERATIONS.index(operation),
        )
        self._launch("elementwise", basis.n // 2, basis.limbs, _batch(x), a)

    def tensor(self, basis: tables.Basis, x: Array, y: Array, out: Array) -> None:
        """(..., 2, limbs, N) twice -> (..., 3, limbs, N)."""
        pointers = map(self.machine.pointer, (x, y, out))
        a = of.Tensor(*pointers, basis.limbs * basis.n, basis.modulus_table, basis.log_n)
        self._launch("tensor", basis.n, basis.limbs, _batch(x) // 2, a)

    def automorphism(self, basis: tables.Basis, x: Array, exponent: int, out: Array) -> None:
        """X -> X^exponent on coefficients."""
        self._automorphism(basis, x, exponent, out, False)

    def automorphism_ntt(self, basis: tables.Basis, x: Array, exponent: int, out: Array) -> None:
        """X -> X^exponent on NTT values."""
        self._automorphism(basis, x, exponent, out, True)

    def _automorphism(self, basis: tables.Basis, x: Array, exponent: int, out: Array, values: bool) -> None:
        a = of.Automorphism(
            x=self.machine.pointer(x),
            out=self.machine.pointer(out),
            batch=basis.limbs * basis.n,
            moduli=basis.modulus_table,
            log_n=basis.log_n,
            exponent=exponent,
            over=_over(exponent, basis),
            values=values,
        )
        self._launch("automorphism", basis.n, basis.limbs, _batch(x), a)

    # Between bases.

    def convert(self, converter: tables.Converter, x: Array, out: Array) -> None:
        """Coefficients: (..., source limbs, N) -> (..., target limbs, N)."""
        source, target = converter.source, converter.target
        y = self._temporary("base conversion", *x.shape)
        a = self._transform(source, x, y)
        a.factors = converter.scales.pointer
        self._launch("scale", source.n, source.limbs, _batch(x), a)
        b = self._transform(target, None, out)
        self._from(b, y, source, converter.conversions)
        self._launch("convert", target.n, target.limbs, _batch(x), b)

    def _from(self, a: of.Transform, y: Array, source: tables.Basis, conversions: Conversions) -> None:
        a.sources, a.sources_batch = self.machine.pointer(y), source.limbs * source.n
        a.source_moduli, a.conversions = source.modulus_table, conversions.pointer

    def mod_down(self, divider: tables.Divider, x: Array, out: Array) -> None:
        """NTT values: (..., limbs, N) -> (..., limbs - drop, N)."""
        self._mod_down(divider, x, out, [1], 1)

    def _mod_down(
        self, divider: tables.Divider, x: Array, out: Array, exponents: Sequence[int], repeat: int
    ) -> None:
        """The same, then X -> X^k on polynomial z with k = exponents[z / repeat]."""
        source, target, batch = divider.converter.source, divider.converter.target, _batch(x)
        y = self._temporary("division", batch, source.limbs, source.n)
        a = self._transform(source, x, y)
        row = (source.limbs + target.limbs) * source.n
        a.input, a.in_batch = a.input + 8 * target.limbs * source.n, row
        a.factors = divider.converter.scales_over_n.pointer
        self._backward(source, a, batch)
        b = self._transform(target, None, out)
        self._from(b, y, source, divider.converter.conversions)
        b.minuend, b.minuend_batch, b.factors = self.machine.pointer(x), row, divider.inverses.pointer
        b.over_count, b.over_repeat = len(exponents), repeat
        b.over[: len(exponents)] = [_over(k, target) for k in exponents]
        shape = (batch, target.limbs, target.n) if target.log_n > LOG_TILE else (0,)
        work = self._temporary("division", *shape)
        self._forward(target, b, batch, work)

    # Key switching.

    def decompose(self, gadget: tables.Gadget, x: Array, out: Array) -> None:
        """(..., l, N) -> (..., digits, l + K, N)."""
        row = gadget.level.limbs * gadget.level.n
        self._decompose(gadget, self.machine.pointer(x), row, _batch(x), out)

    def _decompose(self, gadget: tables.Gadget, x: int, x_batch: int, batch: int, out: Array) -> None:
        """x: the address of the first polynomial; x_batch: elements from one to the next."""
        level, raised = gadget.level, gadget.raised
        y = self._temporary("key switching", batch, level.limbs, level.n)
        a = self._transform(level, None, y)
        a.input, a.in_batch = x, x_batch
        a.factors = gadget.scales_over_n.pointer
        self._backward(level, a, batch)
        b = self._transform(raised, None, out)
        self._from(b, y, level, gadget.conversions)
        b.minuend, b.minuend_batch = x, x_batch
        self._forward(raised, b, batch)

    def inner_product(
        self,
        gadget: tables.Gadget,
        digits: Array,
        key: Array,
        exponent: int,
        addend: Array | None,
        out: Array,
    ) -> None:
        """(..., digits, l + K, N) -> (..., 2, l + K, N)."""
        self._inner_product(gadget, digits, [key], [exponent], addend, out)

    def _inner_product(
        self,
        gadget: tables.Gadget,
        digits: Array,
        keys: Sequence[Array],
        exponents: Sequence[int],
        addend: Array | None,
        out: Array,
        addend_layout: tuple[int, int] | None = None,
    ) -> None:
        """(..., digits, l + K, N) -> (..., keys, 2, l + K, N).

        addend_layout: components to add, and elements from one polynomial's to the next's, if not all there.
        """
        basis, level, pointer = gadget.basis, gadget.level, self.machine.pointer
        parts = 0 if addend is None else addend.shape[-3]
        parts, addend_batch = addend_layout or (parts, parts * level.limbs * basis.n)
        a = of.InnerProduct(
            digits=pointer(digits),
            digits_batch=gadget.digits * basis.limbs * basis.n,
            addend=0 if addend is None else pointer(addend),
            addend_batch=addend_batch,
            out=pointer(out),
            key_limbs=keys[0].shape[-2],
            moduli=basis.modulus_table,
            special_product=gadget.special_product.pointer,
            log_n=basis.log_n,
            level=level.limbs,
            limbs=basis.limbs,
            digit_count=gadget.digits,
            addend_parts=parts,
            key_count=len(keys),
            over=tuple(_over(k, basis) for k in exponents),
            keys=tuple(map(pointer, keys)),
        )
        batch = prod(digits.shape[:-3]) * len(keys)
        self._launch("inner_product", basis.n, basis.limbs, batch, a)

    def key_switch(
        self,
        gadget: tables.Gadget,
        x: Array,
        key: Array,
        exponent: int,
        addend: Array | None,
        rescale: bool,
        out: Array,
    ) -> None:
        """(..., l, N) -> (..., 2, l, N), with `rescale` (..., 2, l - 1, N). addend: (..., 1 or 2, l, N)."""
        shape = (*x.shape[:-2], gadget.digits, gadget.basis.limbs, gadget.basis.n)
        digits = self._temporary("the digits of a key switch", *shape)
        self.decompose(gadget, x, digits)
        self.key_switch_digits(gadget, digits, [key], [exponent], addend, rescale, out)

    def relinearise_each(
        self, gadget: tables.Gadget, parts: Array, key: Array, rescale: bool, out: Array
    ) -> None:
        """(B, 3, l, N) -> (B, 2, l, N), with `rescale` (B, 2, l - 1, N)."""
        row, batch = gadget.level.limbs * gadget.level.n, len(parts)
        shape = (batch, gadget.digits, gadget.basis.limbs, gadget.basis.n)
        digits = self._temporary("the digits of a key switch", *shape)
        self._decompose(gadget, self.machine.pointer(parts) + 8 * 2 * row, 3 * row, batch, digits)
        total = self._temporary("the products of a key switch", batch, 2, *shape[2:])
        self._inner_product(gadget, digits, [key], [1], parts, total, (2, 3 * row))
        divider = gadget.rescaler if rescale else gadget.divider
        assert divider is not None  # refused above
        self._mod_down(divider, total, out, [1], 1)

    def key_switch_digits(
        self,
        gadget: tables.Gadget,
        digits: Array,
        keys: Sequence[Array],
        exponents: Sequence[int],
        addend: Array | None,
        rescale: bool,
        out: Array,
    ) -> None:
        """(digits, l + K, N) -> (keys, 2, l, N). With leading axes, one key: -> (..., 2, l, N)."""
        divider = gadget.rescaler if rescale else gadget.divider
        assert divider is not None  # refused above
        batch = prod(digits.shape[:-3])
        if batch > 1 and len(keys) > 1:
            raise ValueError(f"{batch} polynomials and {len(keys)} keys given, expected one of either")
        for first in range(0, len(keys), TOGETHER):
            some = slice(first, first + TOGETHER)
            count = len(keys[some])
            shape = (batch * count, 2, gadget.basis.limbs, gadget.basis.n)
            total = self._temporary("the products of a key switch", *shape)
            self._inner_product(gadget, digits, keys[some], [1] * count, addend, total)
            part = out[some] if len(keys) > 1 else out
            self._mod_down(divider, total, part, exponents[some], 2 if count > 1 else 2 * batch)

    # Sums of products.

    def weighted_sums(
        self,
        basis: tables.Basis,
        weights: Array,
        log_run: int,
        vectors: Sequence[Array],
        starts: Sequence[int],
        places: Sequence[int],
        out: Array,
    ) -> None:
        """(T, limbs, N / run) and (C, limbs, N) each, from one start to the next -> (sums, C, limbs, N)."""
        pointer = self.machine.pointer
        for start, end, total in zip(starts, starts[1:], out, strict=False):
            for first in range(start, end, TOGETHER):
                some = range(first, min(first + TOGETHER, end))
                a = of.WeightedSum(
                    out=pointer(total),
                    moduli=basis.modulus_table,
                    log_n=basis.log_n,
                    limbs=basis.limbs,
                    count=len(some),
                    more=first > start,
                    log_run=log_run,
                    narrow=weights.itemsize == 4,
                    weights=tuple(pointer(weights[t]) for t in some),
                    vectors=tuple(pointer(vectors[places[t]]) for t in some),
                )
                self._launch("weighted_sum", basis.n, basis.limbs, _batch(total), a)

    def matrix_product(
        self, basis: tables.Basis, matrix: tables.IntegerMatrix, vectors: Sequence[Array], out: Array
    ) -> None:
        """(C, limbs, N) each -> (rows, C, limbs, N)."""
        pointer, components = self.machine.pointer, prod(out.shape[1:-2])
        table = Table(self.machine, words([pointer(vectors[c]) for c in matrix.used.tolist()]), "matrix")
        a = of.MatrixProduct(
            vectors=table.pointer,
            weights=matrix.residues(basis.moduli).pointer,
            starts=matrix.starts.pointer,
            rows=matrix.rows.pointer,
            places=matrix.places.pointer,
            out=pointer(out),
            moduli=basis.modulus_table,
            terms=matrix.terms,
            log_n=basis.log_n,
            limbs=basis.limbs,
            components=components,
        )
        self._launch("matrix_product", basis.n, components * basis.limbs, matrix.groups, a)

    # Randomness.

    def uniform(self, basis: tables.Basis, seed: bytes, stream: int, out: Array) -> None:
        """(limbs, N) from a seed; (streams, limbs, N) from this stream on."""
        a = of.Uniform(
            key=tuple(np.frombuffer(seed, dtype="<u4").tolist()),
            stream=stream,
            log_n=basis.log_n,
            out=self.machine.pointer(out),
            out_batch=basis.limbs * basis.n,
            moduli=basis.modulus_table,
        )
        self.machine.launch("uniform", (1, basis.limbs, _batch(out)), STREAM_THREADS, a)


def _over(exponent: int, basis: tables.Basis) -> int:
    """1/k mod 2N."""
    return pow(exponent, -1, 2 * basis.n)
