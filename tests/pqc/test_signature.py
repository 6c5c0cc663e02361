"""Detached signatures: pinned signer, exact content, nothing else."""

from io import BytesIO

import pytest

import pqc
from pqc import signature
from pqc.sign import InvalidSignature

CONTENT = bytes(range(256)) * 9000  # more than one piece


def test_a_pinned_signer_is_named(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    made = signature.sign(alice, BytesIO(CONTENT))
    assert signature.verify(made, BytesIO(CONTENT), trust) == "alice"
    assert signature.signer(made) == alice.public


def test_other_content_is_refused(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    made = signature.sign(alice, BytesIO(CONTENT))
    for other in (CONTENT[:-1], CONTENT + b"\0", b""):
        with pytest.raises(InvalidSignature, match="this is not what 'alice' signed"):
            signature.verify(made, BytesIO(other), trust)


def test_a_stranger_is_refused(mallory: pqc.Identity, trust: pqc.TrustStore) -> None:
    with pytest.raises(pqc.PeerRefused, match="got 'mallory'"):
        signature.verify(signature.sign(mallory, BytesIO(b"x")), BytesIO(b"x"), trust)


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_every_damaged_byte_is_noticed(step: int, alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    made = signature.sign(alice, BytesIO(b"x"))
    for place in range(0, len(made), step):
        changed = made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :]
        with pytest.raises((ValueError, pqc.PeerRefused, InvalidSignature)):
            signature.verify(changed, BytesIO(b"x"), trust)
    for cut in (0, 5, 3372, 3379, len(made) - 1):
        with pytest.raises((ValueError, InvalidSignature)):
            signature.verify(made[:cut], BytesIO(b"x"), trust)


def test_a_signature_made_for_another_purpose_does_not_fit(
    alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    """An envelope's and a file's signature have different contexts."""
    import hashlib

    digest = hashlib.sha512(b"x").digest()
    foreign = alice.sign_digest(digest, b"latticework envelope v1")
    with pytest.raises(InvalidSignature):
        signature.verify(signature.MAGIC + alice.public.to_bytes() + foreign, BytesIO(b"x"), trust)
