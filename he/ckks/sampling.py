"""Randomness: seeds from the operating system, and the distributions of the scheme expanded from them.

Every random object of the scheme is a function of a 32-byte seed and a stream number (ChaCha20, RFC 8439), so
keys and ciphertexts are reproducible from their seeds. The samplers take the same time for every outcome.
"""

import secrets
from collections.abc import Callable
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks.params import SIGMA
from he.ckks.ring import Ring, Values

SEED_BYTES = 32

Source: TypeAlias = Callable[[], bytes]
"""Gives a fresh 32-byte seed with every call."""


def os_seed() -> bytes:
    """A seed from the operating system."""
    return secrets.token_bytes(SEED_BYTES)


def uniform(seed: bytes, stream: int, basis: kernels.Basis, out: NDArray[np.uint64] | None = None) -> Values:
    """A uniform polynomial (limbs, N), public: in NTT values, where uniform is uniform as well."""
    return cast(Values, kernels.uniform(seed, stream, basis, out=out))


def ternary(ring: Ring, seed: bytes, stream: int, basis: kernels.Basis) -> Values:
    """A polynomial with uniform coefficients in {-1, 0, 1}, (limbs, N)."""
    return small(kernels.ternary(seed, stream, ring.params.n, ring.full.path), basis)


def error(ring: Ring, seed: bytes, stream: int, basis: kernels.Basis) -> Values:
    """A polynomial with discrete Gaussian coefficients of deviation 3.19, (limbs, N)."""
    return small(kernels.gaussian(seed, stream, ring.params.n, SIGMA, ring.full.path), basis)


def small(coefficients: NDArray[np.int64], basis: kernels.Basis) -> Values:
    """Signed coefficients (..., N) as NTT values (..., limbs, N)."""
    return cast(Values, kernels.lift(coefficients, basis, ntt=True))
