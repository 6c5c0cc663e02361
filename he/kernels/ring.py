"""The ring kernels: NTT, element-wise arithmetic, automorphisms. Meaning: `reference/ring.py`."""

from collections.abc import Sequence

import numpy as np

from he.kernels.dispatch import (
    U64,
    check_count,
    check_galois,
    check_out,
    check_poly,
    int_in,
    native,
    on_device,
    share_memory,
)
from he.kernels.handles import Basis
from he.kernels.reference import ring as reference


def empty(shape: tuple[int, ...], basis: Basis) -> U64:
    """An uninitialised uint64 array from the kernels' buffer pool: aligned, recycled when the array dies."""
    if basis.handle is None:
        return np.empty(shape, dtype=np.uint64)
    out: U64 = native(basis.path).empty(shape)
    return out


def result(out: U64 | None, shape: tuple[int, ...], basis: Basis) -> U64:
    """`out` after a check of its shape, a new array for None."""
    check_out(out, shape)
    return empty(shape, basis) if out is None else out


def deliver(value: U64, out: U64 | None) -> U64:
    """A result of the reference path, copied into `out` if there is one."""
    check_out(out, value.shape)
    if out is None:
        return value
    out[...] = value
    return out


def _disjoint(x: U64, out: U64 | None) -> None:
    if out is not None and share_memory(x, out):
        raise ValueError("out: got memory shared with x, expected different memory")


def ntt(x: U64, basis: Basis, out: U64 | None = None) -> U64:
    """Forward negacyclic NTT of every row: coefficients in natural order to values at psi^(2 brv(j) + 1).

    x: (..., limbs, N) in [0, q); the same for the result. `out` may be x.
    """
    check_poly(x, "x", basis.limbs, basis.n)
    if basis.handle is None:
        return deliver(reference.ntt(x, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).ntt(basis.handle, x, out)
    return out


def intt(x: U64, basis: Basis, out: U64 | None = None) -> U64:
    """Inverse of `ntt`, the factor 1/N included. x: (..., limbs, N) in [0, q); the same for the result. `out`
    may be x.
    """
    check_poly(x, "x", basis.limbs, basis.n)
    if basis.handle is None:
        return deliver(reference.intt(x, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).intt(basis.handle, x, out)
    return out


def _check_pair(x: U64, y: U64, basis: Basis) -> None:
    check_poly(x, "x", basis.limbs, basis.n)
    check_poly(y, "y", basis.limbs, basis.n)
    if y.shape != x.shape[x.ndim - y.ndim :] or y.ndim > x.ndim:
        raise ValueError(f"y: got shape {y.shape}, expected the shape of x, {x.shape}, or its last axes")


def add(x: U64, y: U64, basis: Basis, out: U64 | None = None) -> U64:
    """x + y mod q. x: (..., limbs, N); y: the same shape, or the last axes of it, then repeated. `out` may be
    x or y.
    """
    _check_pair(x, y, basis)
    if basis.handle is None:
        return deliver(reference.add(x, y, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).add(basis.handle, x, y, out)
    return out


def sub(x: U64, y: U64, basis: Basis, out: U64 | None = None) -> U64:
    """x - y mod q, shapes as for `add`."""
    _check_pair(x, y, basis)
    if basis.handle is None:
        return deliver(reference.sub(x, y, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).sub(basis.handle, x, y, out)
    return out


def mul(x: U64, y: U64, basis: Basis, out: U64 | None = None) -> U64:
    """x y mod q, entry by entry (the ring product of NTT values), shapes as for `add`."""
    _check_pair(x, y, basis)
    if basis.handle is None:
        return deliver(reference.mul(x, y, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).mul(basis.handle, x, y, out)
    return out


def mul_add(x: U64, y: U64, z: U64, basis: Basis, out: U64 | None = None) -> U64:
    """x y + z mod q, entry by entry. y as for `add`, z with the shape of x. `out` may be any of them."""
    _check_pair(x, y, basis)
    check_poly(z, "z", basis.limbs, basis.n)
    if z.shape != x.shape:
        raise ValueError(f"z: got shape {z.shape}, expected that of x, {x.shape}")
    if basis.handle is None:
        return deliver(reference.mul_add(x, y, z, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).mul_add(basis.handle, x, y, z, out)
    return out


def tensor(x: U64, y: U64, basis: Basis, out: U64 | None = None) -> U64:
    """(x0 y0, x0 y1 + x1 y0, x1 y1) mod q in one pass: (2, limbs, N) twice -> (3, limbs, N), NTT values. y
    may be x.
    """
    check_poly(x, "x", basis.limbs, basis.n, 3)
    check_poly(y, "y", basis.limbs, basis.n, 3)
    if len(x) != 2 or len(y) != 2:
        raise ValueError(f"x, y: got {len(x)} and {len(y)} components, expected 2 and 2")
    _disjoint(x, out)
    _disjoint(y, out)
    if basis.handle is None:
        return deliver(reference.tensor(x, y, basis.moduli), out)
    out = result(out, (3, basis.limbs, basis.n), basis)
    native(basis.path).tensor(basis.handle, x, y, out)
    return out


def neg(x: U64, basis: Basis, out: U64 | None = None) -> U64:
    """-x mod q. x: (..., limbs, N). `out` may be x."""
    check_poly(x, "x", basis.limbs, basis.n)
    if basis.handle is None:
        return deliver(reference.neg(x, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).neg(basis.handle, x, out)
    return out


def copy(x: U64, basis: Basis, out: U64) -> U64:
    """x, copied into `out`: (..., limbs, N) both."""
    check_poly(x, "x", basis.limbs, basis.n)
    check_out(out, x.shape)
    if not on_device(basis.path):
        out[...] = x
    else:
        native(basis.path).copy(basis.handle, x, out)
    return out


def zero(out: U64, basis: Basis) -> U64:
    """0 in every entry of `out`, (..., limbs, N)."""
    check_poly(out, "out", basis.limbs, basis.n)
    if not on_device(basis.path):
        out[...] = 0
    else:
        native(basis.path).zero(basis.handle, out)
    return out


def to_host(x: U64, basis: Basis) -> U64:
    """x where the CPU reads it: x itself unless the path is a device's."""
    return native(basis.path).to_host(x) if on_device(basis.path) else x


def to_device(x: U64, basis: Basis) -> U64:
    """x where the path computes: x itself unless that is a device."""
    return native(basis.path).to_device(np.ascontiguousarray(x)) if on_device(basis.path) else x


def _scalars(scalars: Sequence[int], basis: Basis) -> list[int]:
    check_count(scalars, "scalars", basis.limbs)
    return [int_in(s, "scalar") % q for s, q in zip(scalars, basis.moduli, strict=True)]


def add_scalar(x: U64, scalars: Sequence[int], basis: Basis, out: U64 | None = None) -> U64:
    """x + s mod q in every entry, one integer s of any size and sign per limb. `out` may be x."""
    check_poly(x, "x", basis.limbs, basis.n)
    residues = _scalars(scalars, basis)
    if basis.handle is None:
        return deliver(reference.add_scalar(x, residues, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).add_scalar(basis.handle, x, residues, out)
    return out


def mul_scalar(x: U64, scalars: Sequence[int], basis: Basis, out: U64 | None = None) -> U64:
    """x s mod q in every entry, one integer s of any size and sign per limb. `out` may be x."""
    check_poly(x, "x", basis.limbs, basis.n)
    residues = _scalars(scalars, basis)
    if basis.handle is None:
        return deliver(reference.mul_scalar(x, residues, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).mul_scalar(basis.handle, x, residues, out)
    return out


def automorphism(x: U64, k: int, basis: Basis, out: U64 | None = None) -> U64:
    """x(X) -> x(X^k) on coefficients, k odd of any size and sign. x: (..., limbs, N). `out` must not be x."""
    check_poly(x, "x", basis.limbs, basis.n)
    exponent = check_galois(k, basis.n)
    _disjoint(x, out)
    if basis.handle is None:
        return deliver(reference.automorphism(x, exponent, basis.moduli), out)
    out = result(out, x.shape, basis)
    native(basis.path).automorphism(basis.handle, x, exponent, out)
    return out


def automorphism_ntt(x: U64, k: int, basis: Basis, out: U64 | None = None) -> U64:
    """x(X) -> x(X^k) on NTT values, k odd of any size and sign: a permutation. x: (..., limbs, N). `out` must
    not be x.
    """
    check_poly(x, "x", basis.limbs, basis.n)
    exponent = check_galois(k, basis.n)
    _disjoint(x, out)
    if basis.handle is None:
        return deliver(reference.automorphism_ntt(x, exponent), out)
    out = result(out, x.shape, basis)
    native(basis.path).automorphism_ntt(basis.handle, x, exponent, out)
    return out
