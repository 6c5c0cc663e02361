"""ML-KEM as `cryptography` (OpenSSL) computes it. Private keys are the 64-byte seeds (d || z) of FIPS 203."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import mlkem
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

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return (ciphertext, secret); this backend itself returns them in the other order."""
        secret, ciphertext = self._key.encapsulate()
        return ciphertext, secret

    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo of the standard, DER."""
        return bytes(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


class Private:
    """An OpenSSL private key."""

    __slots__ = ("_key", "decapsulate")

    def __init__(self, key: Any) -> None:
        self._key = key
        self.decapsulate = key.decapsulate

    @property
    def raw(self) -> bytes:
        """The seed."""
        return bytes(self._key.private_bytes_raw())

    def pkcs8(self) -> bytes:
        """The PKCS#8 of the standard in its seed form, DER, in the clear."""
        return bytes(self._key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


class MakerOfMlKem:
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
        """Read a seed of 64 bytes."""
        return self._pair(self._private.from_seed_bytes(raw))

    def public(self, raw: bytes) -> Public:
        """Read an encapsulation key; the library makes the modulus check of FIPS 203 section 7.2."""
        try:
            return Public(self._public.from_public_bytes(raw))
        except ValueError:
            # The library's own text blames the length, which was right.
            raise ValueError(
                f"{self.card.name} public key: expected coefficients below 3329, got one not reduced"
            ) from None

    def _pair(self, key: Any) -> tuple[Private, Public]:
        return Private(key), Public(key.public_key())


def _card(name: str, category: int, public: int, ciphertext: int) -> Algorithm:
    return Algorithm(name, "KEM", "FIPS 203", category, "cryptography", True, public, 64, ciphertext)


MAKERS = (
    MakerOfMlKem(_card("ML-KEM-768", 3, 1184, 1088), mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey),
    MakerOfMlKem(_card("ML-KEM-1024", 5, 1568, 1568), mlkem.MLKEM1024PrivateKey, mlkem.MLKEM1024PublicKey),
)
