"""Hybrid key switching, in coarse calls. Meaning: `reference/switching.py`.

A key is an array (D, 2, L + K, N) of NTT values for the full chain of L moduli and the K special primes;
`reference/switching.py` says what it must encrypt. At a level of l <= L moduli the calls below use its first
`gadget.digits` digits, and of the limbs the first l and the last K, without copying. X -> X^galois is applied
last, to the result: a rotation by k thus needs the key that switches from s to s(X^(1/k)), and one
decomposition serves rotations by many k (hoisting). What a product with a key costs is the reading of the
key, so keys may be kept in four bytes a residue, as `compact_key` makes them.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from he.kernels.dispatch import FOUR_BYTES, U64, check_array, check_galois, check_poly, native, on_device
from he.kernels.handles import Basis, Gadget
from he.kernels.reference import switching as reference
from he.kernels.ring import empty

Key: TypeAlias = npt.NDArray[Any]
"""Residues in uint64, or in uint32 as `compact_key` makes them."""


def decompose(x: U64, gadget: Gadget) -> U64:
    """All digits of x raised to every modulus: NTT values (l, N) -> NTT values (digits, l + K, N), residues
    in [0, q).
    """
    check_poly(x, "x", gadget.level.limbs, gadget.basis.n, 2)
    if gadget.handle is None:
        return reference.decompose(x, gadget.basis.moduli, gadget.special, gadget.digit_limbs)
    out = empty((gadget.digits, gadget.basis.limbs, gadget.basis.n), gadget.basis)
    native(gadget.basis.path).decompose(gadget.handle, x, out)
    return out


def _check_digits(digits: U64, gadget: Gadget) -> None:
    check_array(digits, "digits", "uint64", (gadget.digits, gadget.basis.limbs, gadget.basis.n), 3)


def compact_key(key: U64, basis: Basis) -> Key:
    """The key in four bytes a residue if all moduli are below 2^32 and compiled code of the CPU reads it."""
    fits = basis.handle is not None and not on_device(basis.path) and max(basis.moduli) < FOUR_BYTES
    return key.astype(np.uint32) if fits else key


def _check_key(key: Key, gadget: Gadget) -> None:
    narrow = key.dtype == np.uint32 and gadget.handle is not None and not on_device(gadget.basis.path)
    check_array(key, "key", np.uint32 if narrow else np.uint64, (gadget.basis.n,), 4)
    digits, components, limbs, _ = key.shape
    if digits < gadget.digits or components != 2 or limbs < gadget.basis.limbs:
        needed = f"(>= {gadget.digits}, 2, >= {gadget.basis.limbs}, {gadget.basis.n})"
        raise ValueError(f"key: got shape {key.shape}, expected {needed}")


def _check_addend(addend: U64 | None, gadget: Gadget) -> None:
    if addend is None:
        return
    check_poly(addend, "addend", gadget.level.limbs, gadget.basis.n, 3)
    if addend.shape[0] not in (1, 2):
        raise ValueError(f"addend: got {addend.shape[0]} components, expected 1 or 2")


def inner_product(digits: U64, key: Key, gadget: Gadget, galois: int = 1, addend: U64 | None = None) -> U64:
    """sum_j digit_j key_j + P addend for both components, then X -> X^galois, still over Q P. NTT values.

    (digits, l + K, N) -> (2, l + K, N); addend: (1, l, N), for the first component only, or (2, l, N). Double
    hoisting adds such results, weighted, before one `mod_down(total, gadget.divider)`.
    """
    _check_digits(digits, gadget)
    _check_key(key, gadget)
    _check_addend(addend, gadget)
    exponent = check_galois(galois, gadget.basis.n)
    if gadget.handle is None:
        return reference.inner_product(digits, key, gadget.basis.moduli, gadget.special, exponent, addend)
    out = empty((2, gadget.basis.limbs, gadget.basis.n), gadget.basis)
    native(gadget.basis.path).inner_product(gadget.handle, digits, key, exponent, addend, out)
    return out


def _result_limbs(gadget: Gadget, rescale: bool) -> int:
    if rescale and gadget.rescaler is None:
        raise ValueError(f"rescale: got a level of {gadget.level.limbs} modulus, expected 2 or more")
    return gadget.level.limbs - int(rescale)


def key_switch(
    x: U64, key: Key, gadget: Gadget, galois: int = 1, addend: U64 | None = None, rescale: bool = False
) -> U64:
    """The whole key switch of one polynomial: NTT values (l, N) -> (2, l, N), with `rescale` (2, l - 1, N).

    Decompose, inner product with the key, plus P addend, division by P, or by P and the last modulus of the
    level, rounded once, then X -> X^galois. addend: (1, l, N), for the first component only, or (2, l, N). So
    a rotation of (c0, c1) is key_switch(c1, key, gadget, k, c0[None]), and a relinearisation of (c0, c1, c2)
    is key_switch(c2, key, gadget, addend=(c0, c1)), with rescale=True the product's rescaling included.
    """
    check_poly(x, "x", gadget.level.limbs, gadget.basis.n, 2)
    _check_key(key, gadget)
    _check_addend(addend, gadget)
    exponent, limbs = check_galois(galois, gadget.basis.n), _result_limbs(gadget, rescale)
    if gadget.handle is None:
        moduli, special = gadget.basis.moduli, gadget.special
        return reference.key_switch(x, key, moduli, special, gadget.digit_limbs, exponent, addend, rescale)
    out = empty((2, limbs, gadget.basis.n), gadget.basis)
    native(gadget.basis.path).key_switch(gadget.handle, x, key, exponent, addend, bool(rescale), out)
    return out


def relinearise_each(parts: U64, key: Key, gadget: Gadget, rescale: bool = False) -> U64:
    """(d_0, d_1, d_2) of many ciphertexts: (B, 3, l, N) -> (B, 2, l, N), with `rescale` (B, 2, l - 1, N).

    For each what `key_switch(d_2, key, gadget, addend=(d_0, d_1))` gives; on a GPU in launches for all.
    """
    check_array(parts, "parts", "uint64", (3, gadget.level.limbs, gadget.basis.n), 4)
    _check_key(key, gadget)
    out = empty((len(parts), 2, _result_limbs(gadget, rescale), gadget.basis.n), gadget.basis)
    if on_device(gadget.basis.path):
        native(gadget.basis.path).relinearise_each(gadget.handle, parts, key, bool(rescale), out)
        return out
    for part, result in zip(parts, out, strict=True):
        result[...] = key_switch(part[2], key, gadget, addend=part[:2], rescale=rescale)
    return out


def key_switch_digits(
    digits: U64,
    keys: Sequence[Key],
    gadget: Gadget,
    galois: Sequence[int],
    addend: U64 | None = None,
    rescale: bool = False,
) -> U64:
    """Many key switches of one decomposed polynomial (hoisted rotations): (digits, l + K, N) -> (R, 2, l, N).

    Entry r is what `key_switch` gives with keys[r] and galois[r]; addend and `rescale` are the same for all.
    """
    _check_digits(digits, gadget)
    _check_addend(addend, gadget)
    if len(keys) != len(galois):
        raise ValueError(f"galois: got {len(galois)} exponents for {len(keys)} keys, expected as many")
    for key in keys:
        _check_key(key, gadget)
    exponents, limbs = [check_galois(k, gadget.basis.n) for k in galois], _result_limbs(gadget, rescale)
    out = empty((len(keys), 2, limbs, gadget.basis.n), gadget.basis)
    if gadget.handle is None:
        moduli, special = gadget.basis.moduli, gadget.special
        for r, (key, k) in enumerate(zip(keys, exponents, strict=True)):
            out[r] = reference.key_switch_digits(digits, key, moduli, special, k, addend, rescale)
        return out
    native(gadget.basis.path).key_switch_digits(
        gadget.handle, digits, list(keys), exponents, addend, bool(rescale), out
    )
    return out
