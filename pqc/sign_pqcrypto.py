"""Signatures as `pqcrypto` (Rust) computes them: SLH-DSA, and ML-DSA as a second opinion.

The backend is unaudited by its own word. A private key here is the expanded one of FIPS 204 or 205; ML-DSA's
is followed by the public key, which it does not contain. Two faults of its ML-DSA (version 1.0.0) are named
where they strike: it refuses contexts over 253 bytes, where FIPS 204 allows 255, and messages over 1 MiB.
"""

import importlib
from typing import Any

from cryptography.exceptions import InvalidSignature

from pqc.algorithm import Algorithm

ML_DSA_CONTEXT_BYTES = 253
ML_DSA_MESSAGE_BYTES = 1 << 20


class Public:
    """A public key in raw form."""

    __slots__ = ("_card", "_module", "raw")

    def __init__(self, card: Algorithm, module: Any, raw: bytes) -> None:
        self._card, self._module, self.raw = card, module, raw

    def verify(self, signature: bytes, message: bytes, context: bytes) -> None:
        """Raise InvalidSignature unless the signature is good, ValueError for what the backend cannot do."""
        _check_limits(self._card, message, context)
        try:
            self._module.verify(self.raw, message, signature, context)
        except ValueError as error:
            raise InvalidSignature(str(error)) from None

    def spki(self) -> bytes:
        """There is none."""
        raise ValueError("pqcrypto has no SubjectPublicKeyInfo for its keys: use to_bytes()")


class Private:
    """A private key in raw form."""

    __slots__ = ("_card", "_module", "raw")

    def __init__(self, card: Algorithm, module: Any, raw: bytes) -> None:
        self._card, self._module, self.raw = card, module, raw

    def sign(self, message: bytes, context: bytes) -> bytes:
        """Return a hedged signature. Raises ValueError for what the backend cannot do."""
        _check_limits(self._card, message, context)
        return bytes(self._module.sign(self.raw[: self._module.SECRET_KEY_SIZE], message, context))

    def pkcs8(self) -> bytes:
        """There is none."""
        raise ValueError("pqcrypto has no PKCS#8 for its keys: use to_bytes()")


class Maker:
    """Makes and reads the keys of one parameter set; the backend is loaded on first use."""

    def __init__(self, card: Algorithm, module: str) -> None:
        self.card = card
        self._name = module

    @property
    def _module(self) -> Any:
        package = importlib.import_module("pqcrypto.sign")
        return getattr(package, self._name)

    def generate(self) -> tuple[Private, Public]:
        """Make a key pair."""
        public, secret = self._module.keygen()
        # SLH-DSA's private key ends with the public key (FIPS 205 figure 15), ML-DSA's does not hold it.
        raw = secret if self.card.standard == "FIPS 205" else secret + public
        return Private(self.card, self._module, raw), Public(self.card, self._module, public)

    def private(self, raw: bytes) -> tuple[Private, Public]:
        """Read a private key."""
        return Private(self.card, self._module, raw), self.public(raw[-self.card.public_bytes :])

    def public(self, raw: bytes) -> Public:
        """Read a public key."""
        return Public(self.card, self._module, raw)


def _check_limits(card: Algorithm, message: bytes, context: bytes) -> None:
    if card.standard != "FIPS 204":
        return
    for what, limit, got in (
        ("contexts", ML_DSA_CONTEXT_BYTES, len(context)),
        ("messages", ML_DSA_MESSAGE_BYTES, len(message)),
    ):
        if got > limit:
            raise ValueError(f"pqcrypto takes ML-DSA {what} of at most {limit} bytes, got {got}")


# Name, category, bytes of public key, private key and signature.
_ML_DSA = (
    ("ML-DSA-44", 2, 1312, 2560 + 1312, 2420),
    ("ML-DSA-65", 3, 1952, 4032 + 1952, 3309),
    ("ML-DSA-87", 5, 2592, 4896 + 2592, 4627),
)
_SLH_DSA = tuple(
    (f"SLH-DSA-{hash_name}-{size}", category, 2 * category_bytes, 4 * category_bytes, signature)
    for hash_name in ("SHA2", "SHAKE")
    for size, category, category_bytes, signature in (
        ("128s", 1, 16, 7856),
        ("128f", 1, 16, 17088),
        ("192s", 3, 24, 16224),
        ("192f", 3, 24, 35664),
        ("256s", 5, 32, 29792),
        ("256f", 5, 32, 49856),
    )
)
MAKERS: tuple[Maker, ...] = tuple(
    Maker(
        Algorithm(name, "signature", standard, category, "pqcrypto", False, public, private, signature),
        name.lower().replace("-", "_"),
    )
    for standard, rows in (("FIPS 204", _ML_DSA), ("FIPS 205", _SLH_DSA))
    for name, category, public, private, signature in rows
)
