"""Random polynomials from a 32-byte seed. Meaning: `reference/stream.py`.

Everything is a function of (seed, stream): use a new stream number for each object under a seed, and never
both a sampler and another sampler on one number. Uniform residues under (seed, stream) are independent of
samples under the same pair.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from he.kernels.dispatch import (
    REFERENCE,
    U64,
    check_array,
    check_ring_degree,
    check_seed,
    choose_path,
    host_path,
    int_in,
    native,
    on_device,
)
from he.kernels.handles import Basis
from he.kernels.reference import ring
from he.kernels.reference import stream as reference
from he.kernels.reference.stream import I64, TERNARY_THRESHOLDS, gaussian_thresholds
from he.kernels.ring import deliver, empty, result, to_device
from he.kernels.ring import ntt as transform


def uniform(seed: bytes, stream: int, basis: Basis, out: U64 | None = None) -> U64:
    """Uniform residues, shape (limbs, N); a row depends on (seed, stream, q, N) only, so a level's rows are
    those of the full chain.
    """
    seed, stream = check_seed(seed, stream)
    if basis.handle is None:
        return deliver(reference.uniform(seed, stream, basis.n, basis.moduli), out)
    out = result(out, (basis.limbs, basis.n), basis)
    native(basis.path).uniform(basis.handle, seed, stream, out)
    return out


def sample(
    seed: bytes, stream: int, n: int, thresholds: Sequence[int], offset: int, path: str | None = None
) -> I64:
    """n independent integers: how many of the ascending 64-bit thresholds a random word reaches, minus
    offset.

    Shape (n,), n a ring degree. Constant time.
    """
    steps = [int_in(t, "threshold") for t in thresholds]
    if steps != sorted(steps) or not all(0 <= t < 1 << 64 for t in steps):
        raise ValueError("thresholds: expected ascending integers in [0, 2^64)")
    return _sample(seed, stream, n, np.array(steps, dtype=np.uint64), int_in(offset, "offset"), path)


def _sample(seed: bytes, stream: int, n: int, thresholds: U64, offset: int, path: str | None) -> I64:
    seed, stream = check_seed(seed, stream)
    n, chosen = check_ring_degree(n), host_path(choose_path(path))
    if chosen == REFERENCE:
        return reference.sample(seed, stream, n, thresholds.tolist(), offset)
    out = np.empty(n, dtype=np.int64)
    native(chosen).sample(chosen, seed, stream, thresholds, offset, out)
    return out


def ternary(seed: bytes, stream: int, n: int, path: str | None = None) -> I64:
    """Uniform on {-1, 0, 1}, shape (n,). Constant time."""
    return _sample(seed, stream, n, _TERNARY, 1, path)


def gaussian(seed: bytes, stream: int, n: int, sigma: float, path: str | None = None) -> I64:
    """Discrete Gaussian of density exp(-x^2 / (2 sigma^2)), shape (n,), sigma in [0.5, 64]. Constant time."""
    if not 0.5 <= sigma <= 64:
        raise ValueError(f"sigma: got {sigma}, expected 0.5 to 64")
    thresholds = _gaussian(float(sigma))
    return _sample(seed, stream, n, thresholds, len(thresholds) // 2, path)


_TERNARY = np.array(TERNARY_THRESHOLDS, dtype=np.uint64)


@cache
def _gaussian(sigma: float) -> U64:
    return np.array(gaussian_thresholds(sigma), dtype=np.uint64)


def lift(values: I64, basis: Basis, ntt: bool = False) -> U64:
    """Signed integers to residues: int64 (..., N), |v| < 2^62 -> (..., limbs, N) in [0, q). Constant time.

    With `ntt` the rows come transformed, as by `he.kernels.ntt`, while they are in the cache.
    """
    check_array(values, "values", np.int64, (basis.n,))
    if on_device(basis.path):
        device = to_device(lift(values, basis.host), basis)
        return transform(device, basis, device) if ntt else device
    if basis.handle is None:
        residues = reference.lift(values, basis.moduli)
        return ring.ntt(residues, basis.moduli) if ntt else residues
    out = empty((*values.shape[:-1], basis.limbs, basis.n), basis)
    native(basis.path).lift(basis.handle, values, bool(ntt), out)
    return out
