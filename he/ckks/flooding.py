"""Releasing results: noise that hides the scheme's own noise, for what leaves the owner of the key.

A CKKS decryption is message plus noise, and the noise depends on the secret: with exact decryptions an
attacker solves for it (Li and Micciancio, ePrint 2020/1533). Flooding adds Gaussian noise so wide that the
scheme's own no longer shows (Li, Micciancio, Schultz and Sorrell, ePrint 2022/816).
"""

import math

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks import encoding, noise
from he.ckks.cipher import Ciphertext, Plaintext
from he.ckks.encrypt import phase
from he.ckks.keys import SecretKey
from he.ckks.ring import Ring
from he.ckks.sampling import Source, os_seed, small

BASE_SIGMA = 64.0
SMOOTHING = 1.7
"""A deviation above the smoothing parameter of the integers: sqrt(ln(2 + 2^81) / 2) / pi = 1.69 for 2^-80."""


def flooding_sigma(error: float, scale: float, bits: int, queries: int) -> float:
    """Deviation of the flooding noise, in coefficients.

    error: noise.TAIL deviations of the real part of the noisiest slot, in its own units. By Parseval the norm
    of the noise polynomial is scale times the root mean square of its slots: at most sqrt(2) such deviations,
    and so close to it that twice that, B, bounds it. Two Gaussians whose means differ by B have
    Kullback-Leibler divergence B^2 / (2 sigma^2). Over `queries` results, by Pinsker's inequality, the
    statistical distance is at most B sqrt(queries) / (2 sigma). It shall be 2^(-bits/2), which is `bits` bits
    of security against a distinguisher (Micciancio and Walter, ePrint 2018/077):
    sigma = B sqrt(queries) 2^(bits/2 - 1).
    """
    b = 2 * math.sqrt(2) * error / noise.TAIL * scale
    return b * math.sqrt(queries) * math.pow(2, bits / 2 - 1)


def decrypt_to_share(
    secret: SecretKey,
    x: Ciphertext,
    error: float,
    *,
    bits: int = 30,
    queries: int = 1,
    source: Source = os_seed,
) -> NDArray[np.complex128]:
    """The slots (N/2,) with flooding noise, to be shown to others.

    error: the bound on the noise of x that the clear engine predicts: if it is more, the promise is void.
    bits: of statistical security, at least 1. queries: results that are shown in all under one key. Every bit
    of security costs half a bit of precision. ValueError if the noise would swallow the message.
    """
    ring = secret.ring
    if not (error > 0 and bits >= 1 and queries >= 1):
        raise ValueError(f"error {error}, bits {bits}, queries {queries} given, expected all positive")
    sigma = flooding_sigma(error, x.scale, bits, queries)
    limbs = encoding.limbs_to_read(ring, x.level, x.scale)
    if noise.TAIL * noise.slot_deviation(ring.params, sigma**2, x.scale) >= 1:
        raise ValueError(
            f"flooding noise of 2^{math.log2(sigma):.0f} swallows the values, expected far less than the "
            f"scale, 2^{math.log2(x.scale):.0f}: take a larger scale (more precision) or fewer bits"
        )
    basis = ring.basis(limbs - 1)
    m = phase(secret, x, limbs)
    flood = small(wide_gaussian(ring, sigma, source()), basis)
    kernels.add(m, flood, basis, out=m)
    return encoding.decode(ring, Plaintext(m, limbs - 1, x.scale))


def wide_gaussian(ring: Ring, sigma: float, seed: bytes) -> NDArray[np.int64]:
    """Discrete Gaussian coefficients (N,) of deviation at least sigma, any below 2^50.

    x_1 + k x_2 of two Gaussians of deviation s is one of deviation s sqrt(1 + k^2) up to 2^-80, as long as
    k <= s / (sqrt(2) SMOOTHING) (Micciancio and Walter, ePrint 2017/259, section 4). Constant time.
    """
    factors, reached = [], BASE_SIGMA
    while reached < sigma:
        most = int(reached / (math.sqrt(2) * SMOOTHING))
        factors.append(min(most, math.ceil(sigma / reached)))
        reached *= math.hypot(1, factors[-1])
    n, path = ring.params.n, ring.full.path
    parts = [kernels.gaussian(seed, i, n, BASE_SIGMA, path) for i in range(1 << len(factors))]
    for k in factors:
        parts = [x + k * y for x, y in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
