"""Signatures: who holds the private key signs, anybody verifies; a bad signature raises.

    private = sign.algorithm("ML-DSA-65").generate()
    signature = private.sign(b"message", context=b"invoice")
    private.public.verify(signature, b"message", context=b"invoice")

ML-DSA is FIPS 204, SLH-DSA is FIPS 205. Signing is hedged: the same message gives different signatures.
The context (at most 255 bytes) separates uses of one key; both sides must give the same.
"""

from typing import Protocol

from cryptography.exceptions import InvalidSignature

from pqc import sign_cryptography, sign_pqcrypto
from pqc.algorithm import Algorithm, Backend
from pqc.checks import Buffer, Secret, as_bytes, exact_bytes

__all__ = ["InvalidSignature", "PrivateKey", "PublicKey", "Signer", "algorithm", "algorithms"]

CONTEXT_BYTES = 255


class PublicHandle(Protocol):
    """A backend's public key."""

    @property
    def raw(self) -> bytes:
        """The key as bytes."""
        ...

    def verify(self, signature: bytes, message: bytes, context: bytes) -> None:
        """Raise InvalidSignature unless the signature is good."""
        ...

    def spki(self) -> bytes:
        """The key in DER."""
        ...


class PrivateHandle(Protocol):
    """A backend's private key."""

    @property
    def raw(self) -> bytes:
        """The key as bytes."""
        ...

    def sign(self, message: bytes, context: bytes) -> bytes:
        """Return a signature."""
        ...

    def pkcs8(self) -> bytes:
        """The key in DER."""
        ...


class PublicKey:
    """A public key of one algorithm."""

    __slots__ = ("_handle", "algorithm")

    def __init__(self, algorithm: Algorithm, handle: PublicHandle) -> None:
        self.algorithm = algorithm
        self._handle = handle

    def verify(self, signature: Buffer, message: Buffer, context: Buffer = b"") -> None:
        """Return if this key's owner signed `message` in `context`.

        Raises InvalidSignature otherwise, a wrong length included: whatever is wrong, it is one answer.
        """
        raw = as_bytes(signature, f"{self.algorithm.name} signature")
        if len(raw) != self.algorithm.output_bytes:
            raise InvalidSignature(f"expected {self.algorithm.output_bytes} bytes, got {len(raw)}")
        self._handle.verify(raw, as_bytes(message, "message"), checked_context(context))

    def to_bytes(self) -> bytes:
        """Return the raw encoding of the standard, `algorithm.public_bytes` long."""
        return self._handle.raw

    def to_spki(self) -> bytes:
        """Return the key as SubjectPublicKeyInfo in DER. Raises ValueError where the backend has none."""
        return self._handle.spki()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        return f"<{self.algorithm.name} public key ({self.algorithm.backend})>"


class PrivateKey(Secret):
    """A private key of one algorithm; `public` is its other half."""

    __slots__ = ("_handle", "algorithm", "public")

    def __init__(self, algorithm: Algorithm, handle: PrivateHandle, public: PublicKey) -> None:
        self.algorithm = algorithm
        self.public = public
        self._handle = handle

    def sign(self, message: Buffer, context: Buffer = b"") -> bytes:
        """Return a signature of `algorithm.output_bytes`. Raises ValueError for a context over 255 bytes."""
        return self._handle.sign(as_bytes(message, "message"), checked_context(context))

    def to_bytes(self) -> bytes:
        """Return the raw private key, `algorithm.private_bytes` long: a seed where the backend takes one."""
        return self._handle.raw

    def to_pkcs8(self) -> bytes:
        """Return the key as PKCS#8 in DER, in the clear. Raises ValueError where the backend has none."""
        return self._handle.pkcs8()

    def __repr__(self) -> str:
        return f"<{self.algorithm.name} private key ({self.algorithm.backend})>"


class Maker(Protocol):
    """What a backend offers for one algorithm; lengths have been checked before."""

    card: Algorithm

    def generate(self) -> tuple[PrivateHandle, PublicHandle]:
        """Make a key pair."""
        ...

    def private(self, raw: bytes) -> tuple[PrivateHandle, PublicHandle]:
        """Read a private key."""
        ...

    def public(self, raw: bytes) -> PublicHandle:
        """Read a public key."""
        ...


class Signer:
    """One algorithm of one backend: makes and reads keys."""

    __slots__ = ("_maker", "card")

    def __init__(self, maker: Maker) -> None:
        self.card = maker.card
        self._maker = maker

    def generate(self) -> PrivateKey:
        """Make a private key from the operating system's randomness."""
        return self._private(*self._maker.generate())

    def private_key(self, raw: Buffer) -> PrivateKey:
        """Read a raw private key. Raises ValueError for a wrong length."""
        checked = exact_bytes(raw, self.card.private_bytes, self._what("private"))
        return self._private(*self._maker.private(checked))

    def public_key(self, raw: Buffer) -> PublicKey:
        """Read a raw public key. Raises ValueError for a wrong length."""
        handle = self._maker.public(exact_bytes(raw, self.card.public_bytes, self._what("public")))
        return PublicKey(self.card, handle)

    def _private(self, private: PrivateHandle, public: PublicHandle) -> PrivateKey:
        return PrivateKey(self.card, private, PublicKey(self.card, public))

    def _what(self, half: str) -> str:
        return f"{self.card.name} {half} key ({self.card.backend})"


def checked_context(context: Buffer) -> bytes:
    """Return the context as bytes. Raises ValueError over 255 bytes (FIPS 204 algorithm 2)."""
    raw = as_bytes(context, "context")
    if len(raw) > CONTEXT_BYTES:
        raise ValueError(f"context: expected at most {CONTEXT_BYTES} bytes, got {len(raw)}")
    return raw


def _makers() -> list[Maker]:
    return [*sign_cryptography.MAKERS, *sign_pqcrypto.MAKERS]


def algorithms() -> list[Algorithm]:
    """List every signature algorithm of every backend, the preferred backend first."""
    return [maker.card for maker in _makers()]


def algorithm(name: str, backend: Backend | None = None) -> Signer:
    """Return the signature algorithm of this standard name, from the preferred backend unless one is named.

    Raises ValueError with the known names.
    """
    for maker in _makers():
        if maker.card.name == name and backend in (None, maker.card.backend):
            return Signer(maker)
    known = ", ".join(f"{card.name} ({card.backend})" for card in algorithms())
    raise ValueError(f"no signature algorithm {name!r} with backend {backend or 'any'}; known: {known}")
