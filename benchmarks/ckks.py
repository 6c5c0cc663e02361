"""Keys and a ciphertext of known values at named parameters, for the benchmarks of the CKKS engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from he.ckks import encoding, encrypt
from he.ckks.cipher import Ciphertext, Plaintext
from he.ckks.keys import EvaluationKeys, PublicKey, SecretKey
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring

SPECS = {
    "n13-3primes": CkksSpec(log_n=13, depth=2, first_bits=47, special=1, special_bits=47),
    "n14-8primes": CkksSpec(log_n=14, depth=7, first_bits=47, special=2, special_bits=47),
    "n15-16primes": CkksSpec(log_n=15, depth=15, first_bits=47, special=4, special_bits=42),
    "n15-19primes": CkksSpec(log_n=15, depth=18, first_bits=47, special=2, special_bits=47),
    "n16-25primes": CkksSpec(log_n=16, depth=24, first_bits=47, special=8, special_bits=46),
}
LEAST_BITS = 15.0


@dataclass
class Setting:
    """Keys, and the encryption of values in -1..1, at the top level."""

    ring: Ring
    secret: SecretKey
    public: PublicKey
    keys: EvaluationKeys
    values: NDArray[np.float64]
    plain: Plaintext
    x: Ciphertext

    def decrypt(self, x: Ciphertext) -> NDArray[np.float64]:
        """The values (slots,)."""
        return encrypt.decrypt(self.secret, x).real

    def facts(self) -> dict[str, Any]:
        """What a result must say of its parameters."""
        params = self.ring.params
        return {"log_qp": round(params.log_qp), "security_bits": params.security}


def build(
    name: str, threads: int | None, rotations: Iterable[int] = (1,), path: str | None = None
) -> Setting:
    """Keys for these parameters; the same values every time. threads: None for all cores."""
    ring = Ring(CkksParams.from_spec(SPECS[name]), path, threads)
    secret = SecretKey.generate(ring)
    values = np.random.default_rng(0).uniform(-1, 1, ring.params.slots)
    plain = encoding.encode(ring, values, ring.params.top_level, ring.params.scale)
    keys = EvaluationKeys.generate(secret, rotations)
    x = encrypt.encrypt(secret, plain)
    return Setting(ring, secret, PublicKey.generate(secret), keys, values, plain, x)


def bits(got: Any, expected: Any) -> float:
    """-log2 of the root mean square error over all slots."""
    return float(-np.log2(np.sqrt(np.mean(np.abs(got - expected) ** 2))))
