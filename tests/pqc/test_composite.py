"""Composite signatures: both halves count, and a second implementation agrees with the layout."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from dilithium_py.ml_dsa import ML_DSA_65

from pqc import composite

ML_DSA, ED25519 = MLDSA65PrivateKey.generate(), Ed25519PrivateKey.generate()
DIGEST = composite.digest(b"message")


def verify(signature: bytes, digest: bytes = DIGEST, context: bytes = b"ctx") -> None:
    composite.verify_digest(ML_DSA.public_key(), ED25519.public_key(), signature, digest, context)


def test_a_signature_verifies_and_has_the_size_of_the_draft() -> None:
    signature = composite.sign_digest(ML_DSA, ED25519, DIGEST, b"ctx")
    assert len(signature) == composite.SIGNATURE_BYTES == 3373
    verify(signature)


def test_a_second_implementation_reads_both_halves() -> None:
    """The message representative is written out here again, from the draft and not from our code."""
    signature = composite.sign_digest(ML_DSA, ED25519, DIGEST, b"ctx")
    representative = (
        bytes.fromhex("436f6d706f73697465416c676f726974686d5369676e61747572657332303235")
        + b"COMPSIG-MLDSA65-Ed25519-SHA512"
        + b"\x03ctx"
        + hashlib.sha512(b"message").digest()
    )
    ED25519.public_key().verify(signature[3309:], representative)
    public = ML_DSA.public_key().public_bytes_raw()
    assert ML_DSA_65.verify(public, representative, signature[:3309], ctx=b"COMPSIG-MLDSA65-Ed25519-SHA512")


def test_our_verification_reads_a_second_implementation() -> None:
    public, private = ML_DSA_65.keygen()
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey

    representative = composite._representative(DIGEST, b"ctx")
    half = ML_DSA_65.sign(private, representative, ctx=composite.LABEL)
    signature = half + ED25519.sign(representative)
    key = MLDSA65PublicKey.from_public_bytes(public)
    composite.verify_digest(key, ED25519.public_key(), signature, DIGEST, b"ctx")


@pytest.mark.parametrize("position", [0, 3308, 3309, 3372])
def test_either_half_damaged_is_refused(position: int) -> None:
    signature = bytearray(composite.sign_digest(ML_DSA, ED25519, DIGEST, b"ctx"))
    signature[position] ^= 1
    with pytest.raises(InvalidSignature):
        verify(bytes(signature))


def test_halves_of_different_messages_contexts_and_lengths_are_refused() -> None:
    signature = composite.sign_digest(ML_DSA, ED25519, DIGEST, b"ctx")
    other = composite.sign_digest(ML_DSA, ED25519, composite.digest(b"other"), b"ctx")
    for bad in (signature[:3309] + other[3309:], other[:3309] + signature[3309:], signature[:-1], b""):
        with pytest.raises(InvalidSignature):
            verify(bad)
    with pytest.raises(InvalidSignature):
        verify(signature, context=b"")
    with pytest.raises(ValueError, match="expected 64 bytes, got 32"):
        verify(signature, digest=bytes(32))
    with pytest.raises(ValueError, match="at most 255 bytes, got 256"):
        composite.sign_digest(ML_DSA, ED25519, DIGEST, bytes(256))
