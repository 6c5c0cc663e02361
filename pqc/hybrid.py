"""X-Wing: a KEM that holds as long as either X25519 or ML-KEM-768 does (draft-connolly-cfrg-xwing-kem).

    private = XWingPrivateKey.generate()
    ciphertext, secret = private.public.encapsulate()

Public key 1216 bytes, ciphertext 1120, private key a 32-byte seed, secret 32. Sections are the draft's.
"""

import hashlib
import secrets

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pqc import kem
from pqc.checks import Buffer, Secret, exact_bytes
from pqc.kem import Encapsulation

SEED_BYTES = 32
PUBLIC_BYTES = 1216
CIPHERTEXT_BYTES = 1120
MLKEM_PUBLIC_BYTES = 1184
MLKEM_CIPHERTEXT_BYTES = 1088
LABEL = rb"\.//^" + b"\\"  # section 5.3: the six bytes 5c2e2f2f5e5c


class XWingPublicKey:
    """`pkM || pkX`: an ML-KEM-768 and an X25519 public key of one owner."""

    __slots__ = ("_mlkem", "_raw", "_x25519")

    def __init__(self, raw: Buffer) -> None:
        """Read 1216 bytes. Raises ValueError for another length or an ML-KEM key that is not reduced."""
        self._raw = exact_bytes(raw, PUBLIC_BYTES, "X-Wing public key")
        self._mlkem = kem.algorithm("ML-KEM-768").public_key(self._raw[:MLKEM_PUBLIC_BYTES])
        self._x25519 = X25519PublicKey.from_public_bytes(self._raw[MLKEM_PUBLIC_BYTES:])

    def encapsulate(self) -> Encapsulation:
        """Make a fresh secret for the owner (section 5.4). Raises ValueError for an all-zero X25519 share."""
        ct_m, ss_m = self._mlkem.encapsulate()
        ephemeral = X25519PrivateKey.generate()
        ct_x = _raw(ephemeral.public_key())
        ss_x = _exchange(ephemeral, self._x25519)
        return Encapsulation(ct_m + ct_x, _combine(ss_m, ss_x, ct_x, self._raw[MLKEM_PUBLIC_BYTES:]))

    def to_bytes(self) -> bytes:
        """Return the 1216 bytes."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XWingPublicKey) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"<X-Wing public key {self._raw[:4].hex()}...>"


class XWingPrivateKey(Secret):
    """A 32-byte seed that both private keys are expanded from (section 5.2)."""

    __slots__ = ("_mlkem", "_seed", "_x25519", "public")

    def __init__(self, seed: Buffer) -> None:
        """Expand a seed of 32 bytes. Raises ValueError for another length."""
        self._seed = exact_bytes(seed, SEED_BYTES, "X-Wing seed")
        mlkem_seed, x25519_key = expand(self._seed)
        self._mlkem = kem.algorithm("ML-KEM-768").private_key(mlkem_seed)
        self._x25519 = X25519PrivateKey.from_private_bytes(x25519_key)
        self.public = XWingPublicKey(self._mlkem.public.to_bytes() + _raw(self._x25519.public_key()))

    @classmethod
    def generate(cls) -> "XWingPrivateKey":
        """Make a key from the operating system's randomness."""
        return cls(secrets.token_bytes(SEED_BYTES))

    def decapsulate(self, ciphertext: Buffer) -> bytes:
        """Return the 32-byte secret (section 5.5).

        Raises ValueError for a wrong length or an all-zero X25519 share; a ciphertext tampered with in any
        other way gives an unrelated secret.
        """
        raw = exact_bytes(ciphertext, CIPHERTEXT_BYTES, "X-Wing ciphertext")
        ct_m, ct_x = raw[:MLKEM_CIPHERTEXT_BYTES], raw[MLKEM_CIPHERTEXT_BYTES:]
        ss_x = _exchange(self._x25519, X25519PublicKey.from_public_bytes(ct_x))
        return _combine(
            self._mlkem.decapsulate(ct_m), ss_x, ct_x, self.public.to_bytes()[MLKEM_PUBLIC_BYTES:]
        )

    def to_bytes(self) -> bytes:
        """Return the 32-byte seed."""
        return self._seed

    def __repr__(self) -> str:
        return "<X-Wing private key>"


def expand(seed: bytes) -> tuple[bytes, bytes]:
    """Return the ML-KEM-768 seed (64 bytes) and the X25519 key (32 bytes) of an X-Wing seed (section 5.2)."""
    expanded = hashlib.shake_256(seed).digest(96)
    return expanded[:64], expanded[64:]


def _raw(key: X25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _exchange(private: X25519PrivateKey, public: X25519PublicKey) -> bytes:
    try:
        return private.exchange(public)
    except ValueError:
        raise ValueError("X25519 share: expected a point of large order, got one that gives zero") from None


def _combine(ss_m: bytes, ss_x: bytes, ct_x: bytes, pk_x: bytes) -> bytes:
    """Section 5.3. ML-KEM's ciphertext need not be hashed: FIPS 203 binds it already."""
    return hashlib.sha3_256(ss_m + ss_x + ct_x + pk_x + LABEL).digest()
