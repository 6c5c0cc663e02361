"""Residues as a dense stream of bits, and back from untrusted bytes. Meaning: `reference/packing.py`."""

from math import prod

import numpy as np
import numpy.typing as npt

from he.kernels.dispatch import U64, check_poly, int_in, native, on_device
from he.kernels.handles import Basis
from he.kernels.reference import packing as reference
from he.kernels.ring import empty, to_device, to_host


def packed_bytes(basis: Basis) -> int:
    """Bytes of one packed polynomial: N/8 times the bits of all moduli."""
    return reference.packed_bytes(basis.n, basis.moduli)


def pack(x: U64, basis: Basis) -> bytes:
    """(..., limbs, N) in [0, q) -> `packed_bytes` bytes a polynomial."""
    check_poly(x, "x", basis.limbs, basis.n)
    if on_device(basis.path):
        return pack(to_host(x, basis), basis.host)
    if basis.handle is None:
        return reference.pack(x, basis.moduli)
    out = np.empty(prod(x.shape[:-2]) * packed_bytes(basis), dtype=np.uint8)
    native(basis.path).pack(basis.handle, x, out)
    return out.tobytes()


def unpack(data: bytes | bytearray | memoryview, basis: Basis, lead: tuple[int, ...] = ()) -> U64:
    """The inverse of `pack`: shape (*lead, limbs, N). ValueError on other lengths and residues >= q."""
    shape = tuple(int_in(s, "lead") for s in lead)
    if any(s < 0 for s in shape):
        raise ValueError(f"lead: got {shape}, expected sizes of 0 or more")
    if on_device(basis.path):
        return to_device(unpack(data, basis.host, shape), basis)
    raw: npt.NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8)
    expected = prod(shape) * packed_bytes(basis)
    if raw.size != expected:
        raise ValueError(f"data: got {raw.size} bytes, expected {expected}")
    if basis.handle is None:
        return reference.unpack(raw.tobytes(), basis.n, basis.moduli, shape)
    out = empty((*shape, basis.limbs, basis.n), basis)
    bad = native(basis.path).unpack(basis.handle, raw, out)
    if bad >= 0:
        limb = bad // basis.n % basis.limbs
        entry = int(out.reshape(-1)[bad])
        raise ValueError(f"data: a residue is {entry}, expected less than its modulus {basis.moduli[limb]}")
    return out
