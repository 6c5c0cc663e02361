"""The key schedule of the handshake: HKDF-SHA-384 in the shape of TLS 1.3 (RFC 9846 section 7.1).

    early     = Extract(0, PSK or 0)          handshake = Extract(Derive(early, "derived"), X-Wing secret)
    master    = Extract(Derive(handshake, "derived"), 0)

Every secret below depends on the hash of all bytes exchanged so far, on a label, and on its direction.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from pqc.checks import Secret

HASH_BYTES = 48
KEY_BYTES = 32
IV_BYTES = 12
PSK_BYTES = 32
PREFIX = b"latticework "
ZERO = bytes(HASH_BYTES)


def extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract; 48 bytes."""
    return HKDF.extract(SHA384(), salt, material)


def expand(secret: bytes, label: str, transcript: bytes, length: int = HASH_BYTES) -> bytes:
    """HKDF-Expand-Label: the label and the transcript hash stand in it with their lengths."""
    name = PREFIX + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + bytes([len(transcript)]) + transcript
    return HKDFExpand(SHA384(), length, info).derive(secret)


@dataclass(frozen=True, slots=True, repr=False)
class ProofKeys(Secret):
    """What protects one end's proof of identity: a sealing key (32 bytes) and a MAC key (48)."""

    sealing: bytes
    finished: bytes


@dataclass(frozen=True, slots=True, repr=False)
class HandshakeKeys(Secret):
    """What protects messages 2 and 3; `responder` and `initiator` name the sender."""

    secret: bytes
    responder: ProofKeys
    initiator: ProofKeys


@dataclass(frozen=True, slots=True, repr=False)
class TrafficSecrets(Secret):
    """What protects the records, and the secret for binding other protocols to this session."""

    initiator: bytes
    responder: bytes
    exporter: bytes


def handshake_keys(psk: bytes | None, shared: bytes, transcript: bytes) -> HandshakeKeys:
    """Derive from the X-Wing secret; `transcript` ends with the clear part of message 2."""
    early = extract(ZERO, psk or ZERO)
    secret = extract(expand(early, "derived", hashlib.sha384().digest()), shared)
    responder, initiator = (
        ProofKeys(
            expand(secret, f"{role} handshake", transcript, KEY_BYTES),
            expand(secret, f"{role} finished", transcript),
        )
        for role in ("responder", "initiator")
    )
    return HandshakeKeys(secret, responder, initiator)


def traffic_secrets(handshake_secret: bytes, transcript: bytes) -> TrafficSecrets:
    """Derive when all three messages are there; `transcript` covers them whole."""
    master = extract(expand(handshake_secret, "derived", hashlib.sha384().digest()), ZERO)
    return TrafficSecrets(
        expand(master, "initiator traffic", transcript),
        expand(master, "responder traffic", transcript),
        expand(master, "exporter", transcript),
    )


def finished(key: bytes, content: bytes) -> bytes:
    """The MAC with which an end shows that it has the keys; 48 bytes."""
    return hmac.digest(key, content, "sha384")
