"""Detached signatures of files and streams: who signed, in a file of its own, read in constant memory.

Layout: magic (6) || public identity || composite signature (3373) over SHA-512 of the content.
"""

import hashlib
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature

from pqc.checks import Buffer, as_bytes
from pqc.composite import SIGNATURE_BYTES
from pqc.identity import Identity
from pqc.public import PublicIdentity
from pqc.trust import TrustStore

MAGIC = b"LWSIG\x01"
CONTEXT = b"latticework file v1"
PIECE_BYTES = 1 << 20


def sign(identity: Identity, source: BinaryIO) -> bytes:
    """Sign all of `source`."""
    return MAGIC + identity.public.to_bytes() + identity.sign_digest(_digest(source), CONTEXT)


def verify(signature: Buffer, source: BinaryIO, trust: TrustStore) -> str:
    """Return the pinned name of who signed all of `source`.

    Raises ValueError for what is no signature, PeerRefused for a signer that is not pinned, InvalidSignature.
    """
    raw = as_bytes(signature, "signature")
    name = trust.check(signer(raw))
    try:
        signer(raw).verify_digest(raw[-SIGNATURE_BYTES:], _digest(source), CONTEXT)
    except InvalidSignature:
        raise InvalidSignature(f"this is not what {name!r} signed") from None
    return name


def signer(signature: Buffer) -> PublicIdentity:
    """Return who claims to have signed. Raises ValueError for what is no signature."""
    raw = as_bytes(signature, "signature")
    if not raw.startswith(MAGIC) or len(raw) < len(MAGIC) + SIGNATURE_BYTES:
        raise ValueError(f"signature: expected {MAGIC!r} and over 3373 bytes, got {raw[:6]!r} and {len(raw)}")
    return PublicIdentity.from_bytes(raw[len(MAGIC) : -SIGNATURE_BYTES])


def _digest(source: BinaryIO) -> bytes:
    hashed = hashlib.sha512()
    while piece := source.read(PIECE_BYTES):
        hashed.update(piece)
    return hashed.digest()
