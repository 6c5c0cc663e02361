"""Key encapsulation: one party's public key in, a ciphertext for it and a shared secret out.

    private = kem.algorithm("ML-KEM-768").generate()
    ciphertext, secret = private.public.encapsulate()
    assert private.decapsulate(ciphertext) == secret

ML-KEM is FIPS 203. A ciphertext that was tampered with gives another secret and no error (implicit
rejection, FIPS 203 algorithm 18): whoever uses the secret must confirm it.
"""

from typing import NamedTuple, Protocol

from pqc import kem_cryptography, kem_pqcrypto
from pqc.algorithm import Algorithm, Backend
from pqc.checks import Buffer, Secret, exact_bytes

SECRET_BYTES = 32


class Encapsulation(NamedTuple):
    """A ciphertext for the key's owner and the 32-byte secret that both will share."""

    ciphertext: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Encapsulation(ciphertext={len(self.ciphertext)} bytes, secret=hidden)"


class PublicHandle(Protocol):
    """A backend's public key."""

    @property
    def raw(self) -> bytes:
        """The key as bytes."""
        ...

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return (ciphertext, secret)."""
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

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the secret."""
        ...

    def pkcs8(self) -> bytes:
        """The key in DER."""
        ...


class PublicKey:
    """A public key of one algorithm; anybody may have it."""

    __slots__ = ("_handle", "algorithm")

    def __init__(self, algorithm: Algorithm, handle: PublicHandle) -> None:
        self.algorithm = algorithm
        self._handle = handle

    def encapsulate(self) -> Encapsulation:
        """Make a fresh secret for the owner of this key."""
        return Encapsulation(*self._handle.encapsulate())

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

    def decapsulate(self, ciphertext: Buffer) -> bytes:
        """Return the 32-byte secret that `ciphertext` carries.

        Raises ValueError for a wrong length; a tampered ciphertext gives an unrelated secret instead.
        """
        size = self.algorithm.output_bytes
        if type(ciphertext) is not bytes or len(ciphertext) != size:
            ciphertext = exact_bytes(ciphertext, size, f"{self.algorithm.name} ciphertext")
        return self._handle.decapsulate(ciphertext)

    def to_bytes(self) -> bytes:
        """Return the raw private key, `algorithm.private_bytes` long: a seed where the backend takes one."""
        return self._handle.raw

    def to_pkcs8(self) -> bytes:
        """Return the key as PKCS#8 in DER, in the clear. Raises ValueError where the backend has none."""
        return self._handle.pkcs8()

    def __repr__(self) -> str:
        return f"<{self.algorithm.name} private key ({self.algorithm.backend})>"


class Kem:
    """One algorithm of one backend: makes and reads keys."""

    __slots__ = ("_maker", "card")

    def __init__(self, maker: "Maker") -> None:
        self.card = maker.card
        self._maker = maker

    def generate(self) -> PrivateKey:
        """Make a private key from the operating system's randomness."""
        return self._private(*self._maker.generate())

    def private_key(self, raw: Buffer) -> PrivateKey:
        """Read a raw private key. Raises ValueError for a wrong length or inconsistent content."""
        checked = exact_bytes(raw, self.card.private_bytes, self._what("private"))
        return self._private(*self._maker.private(checked))

    def public_key(self, raw: Buffer) -> PublicKey:
        """Read a raw public key. Raises ValueError for a wrong length or an invalid content."""
        handle = self._maker.public(exact_bytes(raw, self.card.public_bytes, self._what("public")))
        return PublicKey(self.card, handle)

    def _private(self, private: PrivateHandle, public: PublicHandle) -> PrivateKey:
        return PrivateKey(self.card, private, PublicKey(self.card, public))

    def _what(self, half: str) -> str:
        return f"{self.card.name} {half} key ({self.card.backend})"


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


def _makers() -> list[Maker]:
    return [*kem_cryptography.MAKERS, *kem_pqcrypto.MAKERS]


def algorithms() -> list[Algorithm]:
    """List every KEM of every backend, the preferred backend first."""
    return [maker.card for maker in _makers()]


def algorithm(name: str, backend: Backend | None = None) -> Kem:
    """Return the KEM of this standard name, from the preferred backend unless one is named.

    Raises ValueError with the known names.
    """
    for maker in _makers():
        if maker.card.name == name and backend in (None, maker.card.backend):
            return Kem(maker)
    known = ", ".join(f"{maker.card.name} ({maker.card.backend})" for maker in _makers())
    raise ValueError(f"no KEM {name!r} with backend {backend or 'any'}; known: {known}")
