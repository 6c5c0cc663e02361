"""The encoder's transform, rounding into residues and the way back. Meaning: `reference/embedding.py`."""

import math

import numpy as np

from he.kernels.dispatch import U64, check_array, check_poly, native, on_device
from he.kernels.handles import Basis, Embedding
from he.kernels.reference import embedding as reference
from he.kernels.reference import ring
from he.kernels.reference.embedding import C128, F64
from he.kernels.ring import empty, to_device, to_host
from he.kernels.ring import ntt as transform


def embed(coefficients: F64, embedding: Embedding) -> C128:
    """Coefficients to slots (decoding): float64 (..., N) -> complex128 (..., N/2); slot j is the value at
    exp(pi i 5^j / N).
    """
    check_array(coefficients, "coefficients", np.float64, (embedding.n,))
    if embedding.handle is None:
        return reference.embed(coefficients)
    out = np.empty((*coefficients.shape[:-1], embedding.n // 2), dtype=np.complex128)
    native(embedding.path).embed(embedding.handle, coefficients, out)
    return out


def unembed(slots: C128, embedding: Embedding) -> F64:
    """Slots to coefficients (encoding), the inverse of `embed`: complex128 (..., N/2) -> float64 (..., N)."""
    check_array(slots, "slots", np.complex128, (embedding.n // 2,))
    if embedding.handle is None:
        return reference.unembed(slots)
    out = np.empty((*slots.shape[:-1], embedding.n), dtype=np.float64)
    native(embedding.path).unembed(embedding.handle, slots, out)
    return out


def _check_scale(scale: float) -> float:
    value = float(scale)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"scale: got {scale}, expected a positive finite number")
    return value


def round_residues(x: F64, scale: float, basis: Basis, ntt: bool = False) -> U64:
    """Nearest integers of x scale (ties to even) as residues: float64 (..., N) -> (..., limbs, N) in [0, q).

    Any finite size. With `ntt` the rows come transformed, as by `he.kernels.ntt`, while they are cached.
    """
    check_array(x, "x", np.float64, (basis.n,))
    scale = _check_scale(scale)
    if not math.isfinite(float(np.abs(x).max(initial=0.0)) * scale):
        raise ValueError(f"x: got values that are not finite once multiplied by the scale {scale}")
    if on_device(basis.path):
        device = to_device(round_residues(x, scale, basis.host), basis)
        return transform(device, basis, device) if ntt else device
    if basis.handle is None:
        residues = reference.round_residues(x, scale, basis.moduli)
        return ring.ntt(residues, basis.moduli) if ntt else residues
    out = empty((*x.shape[:-1], basis.limbs, basis.n), basis)
    native(basis.path).round_residues(basis.handle, x, scale, bool(ntt), out)
    return out


def compose(x: U64, scale: float, basis: Basis) -> F64:
    """The centred integers behind the residues, rounded to doubles, divided by scale: (..., limbs, N) ->
    float64 (..., N).
    """
    check_poly(x, "x", basis.limbs, basis.n)
    scale = _check_scale(scale)
    if on_device(basis.path):
        return compose(to_host(x, basis), scale, basis.host)
    if basis.handle is None:
        return reference.compose(x, scale, basis.moduli)
    out = np.empty((*x.shape[:-2], basis.n), dtype=np.float64)
    native(basis.path).compose(basis.handle, x, scale, out)
    return out
