"""X-Wing against the draft's vectors, each half tampered with, and a zero X25519 share."""

import hashlib
import json
from pathlib import Path

import pytest
from kyber_py.ml_kem import ML_KEM_768

from pqc import hybrid
from pqc.hybrid import CIPHERTEXT_BYTES, PUBLIC_BYTES, XWingPrivateKey, XWingPublicKey


def test_published_vectors_decapsulate(vectors: Path) -> None:
    cases = json.loads((vectors / "xwing" / "test-vectors.json").read_text())
    assert len(cases) == 3
    for case in cases:
        private = XWingPrivateKey(bytes.fromhex(case["seed"]))
        assert private.public.to_bytes().hex() == case["pk"]
        assert private.decapsulate(bytes.fromhex(case["ct"])).hex() == case["ss"]


def test_published_vectors_encapsulate_by_a_second_implementation(vectors: Path) -> None:
    """No library here takes the randomness of encapsulation, so kyber-py computes that half."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    for case in json.loads((vectors / "xwing" / "test-vectors.json").read_text()):
        public, coins = bytes.fromhex(case["pk"]), bytes.fromhex(case["eseed"])
        ss_m, ct_m = ML_KEM_768._encaps_internal(public[:1184], coins[:32])
        ephemeral = X25519PrivateKey.from_private_bytes(coins[32:])
        ct_x = ephemeral.public_key().public_bytes_raw()
        ss_x = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[1184:]))
        secret = hashlib.sha3_256(ss_m + ss_x + ct_x + public[1184:] + bytes.fromhex("5c2e2f2f5e5c")).digest()
        assert (ct_m + ct_x).hex() == case["ct"]
        assert secret.hex() == case["ss"]
        assert XWingPrivateKey(bytes.fromhex(case["seed"])).decapsulate(ct_m + ct_x) == secret


def test_both_sides_get_the_same_secret() -> None:
    private = XWingPrivateKey.generate()
    ciphertext, secret = XWingPublicKey(private.public.to_bytes()).encapsulate()
    assert (len(ciphertext), len(secret)) == (CIPHERTEXT_BYTES, 32)
    assert XWingPrivateKey(private.to_bytes()).decapsulate(ciphertext) == secret


@pytest.mark.parametrize("position", [0, 1087, 1088, 1118])
def test_either_half_tampered_with_changes_the_secret(position: int) -> None:
    private = XWingPrivateKey.generate()
    ciphertext, secret = private.public.encapsulate()
    damaged = bytearray(ciphertext)
    damaged[position] ^= 1
    assert private.decapsulate(damaged) != secret


def test_a_zero_share_is_refused_on_both_sides() -> None:
    private = XWingPrivateKey.generate()
    ciphertext, _ = private.public.encapsulate()
    with pytest.raises(ValueError, match="gives zero"):
        private.decapsulate(ciphertext[:1088] + bytes(32))
    weak = XWingPublicKey(private.public.to_bytes()[:1184] + bytes(32))
    with pytest.raises(ValueError, match="gives zero"):
        weak.encapsulate()


def test_a_key_that_is_not_reduced_is_refused() -> None:
    with pytest.raises(ValueError, match="below 3329"):
        XWingPublicKey(b"\xff" * PUBLIC_BYTES)


@pytest.mark.parametrize("wrong", [-1, 1])
def test_wrong_lengths_name_both_numbers(wrong: int) -> None:
    private = XWingPrivateKey.generate()
    for read, size in (
        (XWingPublicKey, PUBLIC_BYTES),
        (XWingPrivateKey, hybrid.SEED_BYTES),
        (private.decapsulate, CIPHERTEXT_BYTES),
    ):
        with pytest.raises(ValueError, match=f"expected {size} bytes, got {size + wrong}"):
            read(bytes(size + wrong))


def test_the_seed_is_not_shown() -> None:
    private = XWingPrivateKey.generate()
    assert repr(private) == str(private) == "<X-Wing private key>"
