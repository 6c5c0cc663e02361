"""What an identity says about its own keys: "this is my next key" and "do not trust this key any more".

Both are signed by the key they end, so whoever pinned that key can act on them. Who has stolen a key can make
them too: a rotation helps only peers that get it before the thief's, and a lost key is revoked by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature

from pqc.checks import Buffer, as_bytes
from pqc.composite import SIGNATURE_BYTES, digest
from pqc.identity import Identity
from pqc.public import PublicIdentity

ROTATION_MAGIC = b"LWROT\x01"
REVOCATION_MAGIC = b"LWREV\x01"
ROTATION_CONTEXT = b"latticework rotation v1"
REVOCATION_CONTEXT = b"latticework revocation v1"
MAX_REASON_BYTES = 200


@dataclass(frozen=True, slots=True)
class Rotation:
    """The keys of one name, old and new, each signed for by the other's side: 3373 bytes a signature."""

    old: PublicIdentity
    new: PublicIdentity
    signatures: bytes

    @classmethod
    def make(cls, old: Identity, new: Identity) -> Self:
        """Sign over to `new`. Raises ValueError for different names."""
        digested = digest(_rotation_text(old.public, new.public))
        signatures = [each.sign_digest(digested, ROTATION_CONTEXT) for each in (old, new)]
        return cls(old.public, new.public, b"".join(signatures))

    def verify(self) -> None:
        """Raise InvalidSignature unless both keys signed; this says nothing about who is trusted."""
        digested = digest(_rotation_text(self.old, self.new))
        for place, identity in enumerate((self.old, self.new)):
            part = self.signatures[place * SIGNATURE_BYTES : (place + 1) * SIGNATURE_BYTES]
            identity.verify_digest(part, digested, ROTATION_CONTEXT)

    def to_bytes(self) -> bytes:
        """Encode: magic, both public identities, both signatures."""
        return ROTATION_MAGIC + _rotation_text(self.old, self.new) + self.signatures

    @classmethod
    def from_bytes(cls, data: Buffer) -> Self:
        """Decode and verify. Raises ValueError for anything that is not a good rotation."""
        text, signatures = _split(data, ROTATION_MAGIC, 2, "rotation")
        half = len(text) // 2  # one name, so both halves are equally long
        rotation = cls(
            PublicIdentity.from_bytes(text[:half]), PublicIdentity.from_bytes(text[half:]), signatures
        )
        _verified(rotation.verify, "rotation")
        return rotation


@dataclass(frozen=True, slots=True)
class Revocation:
    """An identity's own word that its keys are no longer to be trusted, with a reason."""

    identity: PublicIdentity
    reason: str
    signature: bytes

    @classmethod
    def make(cls, identity: Identity, reason: str) -> Self:
        """Sign it. Raises ValueError for a reason over 200 bytes or with control characters."""
        text = identity.public.to_bytes() + checked_reason(reason).encode()
        return cls(identity.public, reason, identity.sign_digest(digest(text), REVOCATION_CONTEXT))

    def verify(self) -> None:
        """Raise InvalidSignature unless the identity signed."""
        text = self.identity.to_bytes() + self.reason.encode()
        self.identity.verify_digest(self.signature, digest(text), REVOCATION_CONTEXT)

    def to_bytes(self) -> bytes:
        """Encode: magic, length of the reason (1), reason, public identity, signature."""
        reason = self.reason.encode()
        return REVOCATION_MAGIC + bytes([len(reason)]) + reason + self.identity.to_bytes() + self.signature

    @classmethod
    def from_bytes(cls, data: Buffer) -> Self:
        """Decode and verify. Raises ValueError for anything that is not a good revocation."""
        text, signature = _split(data, REVOCATION_MAGIC, 1, "revocation")
        end = 1 + text[0] if text else 1
        try:
            reason = checked_reason(text[1:end].decode())
        except UnicodeDecodeError:
            raise ValueError("revocation: expected a reason in UTF-8") from None
        revocation = cls(PublicIdentity.from_bytes(text[end:]), reason, signature)
        _verified(revocation.verify, "revocation")
        return revocation


def checked_reason(reason: str) -> str:
    """Return a reason that can be shown and written to a file. Raises ValueError."""
    if len(reason.encode()) > MAX_REASON_BYTES or not reason.isprintable():
        raise ValueError(f"reason: expected at most {MAX_REASON_BYTES} printable bytes, got {reason[:40]!r}")
    return reason


def _rotation_text(old: PublicIdentity, new: PublicIdentity) -> bytes:
    if old.name != new.name:
        raise ValueError(f"rotation: expected one name, got {old.name!r} and {new.name!r}")
    return old.to_bytes() + new.to_bytes()


def _split(data: Buffer, magic: bytes, signatures: int, what: str) -> tuple[bytes, bytes]:
    raw = as_bytes(data, what)
    tail = signatures * SIGNATURE_BYTES
    if not raw.startswith(magic) or len(raw) < len(magic) + tail:
        raise ValueError(f"{what}: expected {magic!r} and {tail} bytes of signature, got {len(raw)} bytes")
    return raw[len(magic) : -tail], raw[-tail:]


def _verified(verify: Callable[[], None], what: str) -> None:
    try:
        verify()
    except InvalidSignature:
        raise ValueError(f"{what}: the signature is wrong") from None
