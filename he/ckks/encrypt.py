"""Encryption under the secret or the public key, and decryption."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks import encoding, sampling
from he.ckks.cipher import Ciphertext, Plaintext
from he.ckks.keys import PublicKey, SecretKey
from he.ckks.params import SIGMA
from he.ckks.ring import Values
from he.ckks.sampling import Source, os_seed


def encrypt(secret: SecretKey, plain: Plaintext, source: Source = os_seed) -> Ciphertext:
    """(m - (a s + e), a) with a from a seed: the least noise, and half the bytes on the wire."""
    ring, seed = secret.ring, source()
    basis = ring.basis(plain.level)
    data = kernels.empty((2, basis.limbs, basis.n), basis)
    a = sampling.uniform(seed, 0, basis, out=data[1])
    e = sampling.error(ring, source(), 0, basis)
    mask = kernels.mul_add(a, secret.values(basis.limbs), e, basis, out=e)
    kernels.sub(plain.poly, mask, basis, out=data[0])
    return Ciphertext(cast(Values, data), plain.level, plain.scale, seed)


def encrypt_public(public: PublicKey, plain: Plaintext, source: Source = os_seed) -> Ciphertext:
    """(v (b, a) + (e_0, e_1)) / p + (m, 0) for a special prime p, so that only rounding noise is left.

    The remainder r modulo p is taken off the errors before their transform, which saves one of its own.
    """
    ring, seed = public.ring, source()
    basis = ring.basis(plain.level)
    v = sampling.ternary(ring, seed, 0, ring.public)
    e = np.stack([kernels.gaussian(seed, i, basis.n, SIGMA, basis.path) for i in (1, 2)])
    e -= _remainder(public, v, e)
    w = sampling.small(e, basis)
    for half, key in zip(w, public.data, strict=True):
        kernels.mul_add(key[: basis.limbs], v[: basis.limbs], half, basis, out=half)
    p = ring.params.special[0]
    data = kernels.mul_scalar(w, [pow(p, -1, q) for q in basis.moduli], basis, out=w)
    kernels.add(data[0], plain.poly, basis, out=data[0])
    return Ciphertext(cast(Values, data), plain.level, plain.scale)


def _remainder(public: PublicKey, v: Values, e: NDArray[np.int64]) -> NDArray[np.int64]:
    """v (b, a) + e modulo the first special prime p, coefficients in (-p/2, p/2], shape (2, N)."""
    last = public.ring.full.select([len(public.ring.params.moduli)])
    key = np.ascontiguousarray(public.data[:, -1:])
    masked = kernels.mul_add(key, v[-1:], sampling.small(e, last), last)
    r = kernels.intt(masked, last, out=masked)[:, 0].view(np.int64)
    np.subtract(r, last.moduli[0], out=r, where=r > last.moduli[0] // 2)
    return r


def decrypt(secret: SecretKey, x: Ciphertext) -> NDArray[np.complex128]:
    """The slots (N/2,), for the owner of the key: |values| below 2^60.

    They carry noise that depends on the secret. Passed on digit by digit they help an attacker to find it (Li
    and Micciancio, ePrint 2020/1533): what leaves the owner goes through `flooding.decrypt_to_share`.
    """
    limbs = encoding.limbs_to_read(secret.ring, x.level, x.scale)
    m = phase(secret, x, limbs)
    return encoding.decode(secret.ring, Plaintext(m, limbs - 1, x.scale))


def phase(secret: SecretKey, x: Ciphertext, limbs: int) -> Values:
    """c_0 + c_1 s modulo the first `limbs` primes: message and noise, NTT values (limbs, N). Secret."""
    basis = secret.ring.basis(limbs - 1)
    s = secret.values(limbs)
    return cast(Values, kernels.mul_add(x.data[1, :limbs], s, x.data[0, :limbs], basis))
