"""How an end of the handshake proves who it is: SIGMA's "sign and MAC" (Krawczyk, CRYPTO 2003).

Under a handshake key: identity || signature over (transcript, identity) || MAC over (transcript, identity,
signature). The signature says who, the MAC says that this "who" has the keys of this very run; roles sign in
different contexts and have different keys, so that nothing can be reflected.
"""

import hashlib

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq

from pqc import schedule
from pqc.composite import SIGNATURE_BYTES
from pqc.errors import ChannelError
from pqc.identity import Identity
from pqc.public import PublicIdentity
from pqc.schedule import HASH_BYTES, ProofKeys

IDENTITY_BYTES = 2064  # a public identity, its length before it, padded: names do not show in the size
SEALED_BYTES = IDENTITY_BYTES + SIGNATURE_BYTES + HASH_BYTES + 16
RESPONDER, INITIATOR = b"latticework handshake responder", b"latticework handshake initiator"
ZERO_NONCE = bytes(12)  # each handshake key is used once


class HandshakeError(ChannelError):
    """A message is not authentic, or not expected now; it does not say which byte of it is wrong."""


def make(identity: Identity, role: bytes, keys: ProofKeys, transcript: bytes) -> bytes:
    """Return the sealed proof, 5501 bytes."""
    me = _padded(identity.public)
    signature = identity.sign_digest(_signed(transcript, me), role)
    mac = schedule.finished(keys.finished, transcript + me + signature)
    return AESGCM(keys.sealing).encrypt(ZERO_NONCE, me + signature + mac, transcript)


def check(sealed: bytes, role: bytes, keys: ProofKeys, transcript: bytes) -> PublicIdentity:
    """Return who has proved itself; whether it is trusted is not decided here. Raises HandshakeError."""
    try:
        content = AESGCM(keys.sealing).decrypt(ZERO_NONCE, sealed, transcript)
        them, signature = content[:IDENTITY_BYTES], content[IDENTITY_BYTES:-HASH_BYTES]
        if not bytes_eq(
            schedule.finished(keys.finished, transcript + them + signature), content[-HASH_BYTES:]
        ):
            raise HandshakeError("the peer's proof is not authentic")
        claimed = _unpadded(them)
        claimed.verify_digest(signature, _signed(transcript, them), role)
    except (InvalidTag, InvalidSignature):
        raise HandshakeError("the peer's proof is not authentic") from None
    return claimed


def _signed(transcript: bytes, identity: bytes) -> bytes:
    return hashlib.sha512(transcript + identity).digest()


def _padded(identity: PublicIdentity) -> bytes:
    raw = identity.to_bytes()
    return len(raw).to_bytes(2, "big") + raw.ljust(IDENTITY_BYTES - 2, b"\0")


def _unpadded(padded: bytes) -> PublicIdentity:
    size = int.from_bytes(padded[:2], "big")
    try:
        identity = PublicIdentity.from_bytes(padded[2 : 2 + size])
    except ValueError as error:
        raise HandshakeError(f"the peer's identity: {error}") from None
    if _padded(identity) != padded:
        raise HandshakeError("the peer's identity: expected zeros behind it, got something else")
    return identity
