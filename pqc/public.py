"""The public half of an identity: a name, two public keys, and the fingerprint people compare."""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

from pqc import composite
from pqc.checks import Buffer, as_bytes, checked_name, exact_bytes

ML_DSA_BYTES = 1952  # FIPS 204, ML-DSA-65
ED25519_BYTES = 32
MAGIC = b"LWID\x01"
LABEL = b"latticework identity v1"


@dataclass(frozen=True, slots=True)
class PublicIdentity:
    """Who a party is, in a form that may go anywhere.

    `ml_dsa_key` (1952 bytes) proves the party in a channel; together with `ed25519_key` (32 bytes) it checks
    composite signatures.
    """

    name: str
    ml_dsa_key: bytes
    ed25519_key: bytes

    def __post_init__(self) -> None:
        checked_name(self.name)
        exact_bytes(self.ml_dsa_key, ML_DSA_BYTES, "ML-DSA-65 public key")
        exact_bytes(self.ed25519_key, ED25519_BYTES, "Ed25519 public key")

    @property
    def fingerprint(self) -> str:
        """SHA-256 over both keys as 16 groups of 4 hexadecimal digits; compare it over another way."""
        digest = hashlib.sha256(LABEL + self.ml_dsa_key + self.ed25519_key).hexdigest()
        return "-".join(digest[start : start + 4] for start in range(0, 64, 4))

    def verify_digest(self, signature: Buffer, sha512: Buffer, context: Buffer) -> None:
        """Return if this identity made the composite signature. Raises InvalidSignature."""
        composite.verify_digest(
            MLDSA65PublicKey.from_public_bytes(self.ml_dsa_key),
            Ed25519PublicKey.from_public_bytes(self.ed25519_key),
            signature,
            sha512,
            context,
        )

    def to_bytes(self) -> bytes:
        """Encode: magic (5) || length of the name (1) || name || ML-DSA-65 key || Ed25519 key."""
        name = self.name.encode()
        return MAGIC + bytes([len(name)]) + name + self.ml_dsa_key + self.ed25519_key

    @classmethod
    def from_bytes(cls, data: Buffer) -> "PublicIdentity":
        """Decode `to_bytes()`. Raises ValueError for another version, length or name."""
        raw = as_bytes(data, "public identity")
        if raw[:5] != MAGIC or len(raw) < 6:
            raise ValueError(f"public identity: expected {MAGIC!r} and a length first, got {raw[:6]!r}")
        end = 6 + raw[5]
        exact_bytes(raw, end + ML_DSA_BYTES + ED25519_BYTES, "public identity")
        try:
            name = raw[6:end].decode("ascii")
        except UnicodeDecodeError:
            raise ValueError(f"public identity: expected a name in ASCII, got {raw[6:end]!r}") from None
        return cls(name, raw[end:-ED25519_BYTES], raw[-ED25519_BYTES:])

    def __repr__(self) -> str:
        return f"PublicIdentity({self.name!r}, {self.fingerprint})"
