"""Composite signatures MLDSA65-Ed25519-SHA512: good only if both halves are.

The layout is that of draft-ietf-lamps-pq-composite-sigs: both halves sign
M' = prefix || label || length of the context || context || SHA-512(message), ML-DSA-65 with the label as its
own context, so that no half passes for a signature of another kind. Public key: ML-DSA-65's 1952 bytes, then
Ed25519's 32. Signature: 3309 bytes, then 64. Private key: two 32-byte seeds.
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey

from pqc.checks import Buffer, as_bytes
from pqc.sign import checked_context

PREFIX = b"CompositeAlgorithmSignatures2025"
LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"
ML_DSA_SIGNATURE_BYTES = 3309
SIGNATURE_BYTES = ML_DSA_SIGNATURE_BYTES + 64
PUBLIC_BYTES = 1952 + 32
PRIVATE_BYTES = 32 + 32


def sign_digest(
    ml_dsa: MLDSA65PrivateKey, ed25519: Ed25519PrivateKey, sha512: Buffer, context: Buffer = b""
) -> bytes:
    """Sign a message of which the SHA-512 digest is given; 3373 bytes.

    Raises ValueError for a context over 255 bytes or a digest that is not 64 bytes long.
    """
    representative = _representative(sha512, context)
    return ml_dsa.sign(representative, LABEL) + ed25519.sign(representative)


def verify_digest(
    ml_dsa: MLDSA65PublicKey,
    ed25519: Ed25519PublicKey,
    signature: Buffer,
    sha512: Buffer,
    context: Buffer = b"",
) -> None:
    """Return if both halves are good. Raises InvalidSignature for anything else, a wrong length included."""
    raw = as_bytes(signature, "composite signature")
    if len(raw) != SIGNATURE_BYTES:
        raise InvalidSignature(f"composite signature: expected {SIGNATURE_BYTES} bytes, got {len(raw)}")
    representative = _representative(sha512, context)
    ml_dsa.verify(raw[:ML_DSA_SIGNATURE_BYTES], representative, LABEL)
    ed25519.verify(raw[ML_DSA_SIGNATURE_BYTES:], representative)


def digest(message: Buffer) -> bytes:
    """SHA-512 of a message, the pre-hash of this algorithm."""
    return hashlib.sha512(message).digest()


def _representative(sha512: Buffer, context: Buffer) -> bytes:
    if len(sha512) != hashlib.sha512().digest_size:
        raise ValueError(f"SHA-512 digest: expected 64 bytes, got {len(sha512)}")
    checked = checked_context(context)
    return PREFIX + LABEL + bytes([len(checked)]) + checked + as_bytes(sha512, "SHA-512 digest")
