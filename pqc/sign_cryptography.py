"""ML-DSA as `cryptography` (OpenSSL) computes it. Private keys are the 32-byte seeds of FIPS 204."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pqc.algorithm import Algorithm


class Public:
    """An OpenSSL public key."""

    __slots__ = ("_key", "raw")

    def __init__(self, key: Any) -> None:
        self._key = key
        self.raw: bytes = key.public_bytes_raw()

    def verify(self, signature: bytes, message: bytes, context: bytes) -> None:
        """Raise InvalidSignature unless the signature is good."""
        self._key.verify(signature, message, context)

    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo of the standard, DER."""
        return bytes(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class Private:
    """An OpenSSL private key."""

    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        self._key = key

    def sign(self, message: bytes, context: bytes) -> bytes:
        """Return a hedged signature."""
        return bytes(self._key.sign(message, context))

    @property
    def raw(self) -> bytes:
        """The seed."""
        return bytes(self._key.private_bytes_raw())

    def pkcs8(self) -> bytes:
        """The PKCS#8 of the standard in its seed form, DER, in the clear."""
        return bytes(self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


class MakerOfMlDsa:
    """Makes and reads the keys of one parameter set."""

    def __init__(self, card: Algorithm, private: Any, public: Any) -> None:
        self.card = card
        self._private, self._public = private, public

    def owns(self, key: object) -> bool:
        """Whether a key that `cryptography` has read is of this parameter set."""
        return isinstance(key, (self._private, self._public))

    def generate(self) -> tuple[Private, Public]:
        """Make a key pair."""
        return self._pair(self._private.generate())

    def private(self, raw: bytes) -> tuple[Private, Public]:
        """Read a seed of 32 bytes."""
        return self._pair(self._private.from_seed_bytes(raw))

    def public(self, raw: bytes) -> Public:
        """Read a public key."""
        return Public(self._public.from_public_bytes(raw))

    def _pair(self, key: Any) -> tuple[Private, Public]:
        return Private(key), Public(key.public_key())


def _card(name: str, category: int, public: int, signature: int) -> Algorithm:
    return Algorithm(name, "signature", "FIPS 204", category, "cryptography", True, public, 32, signature)


MAKERS = (
    MakerOfMlDsa(_card("ML-DSA-44", 2, 1312, 2420), mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey),
    MakerOfMlDsa(_card("ML-DSA-65", 3, 1952, 3309), mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey),
    MakerOfMlDsa(_card("ML-DSA-87", 5, 2592, 4627), mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey),
)
