"""The KEMs inside HPKE: vectors of draft-ietf-hpke-pq, whose shared secrets are what ours decapsulate to."""

import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl

from pqc import kem
from pqc.age.hybrid import SUITE, AgeKey
from pqc.hybrid import XWingPrivateKey


def test_x_wing(vectors: Path) -> None:
    cases = json.loads((vectors / "hpke" / "hpke-pq-test-vectors.json").read_text())
    ours = [case for case in cases if case["kem_id"] == 0x647A]
    assert len(ours) == 2
    for case in ours:
        private = XWingPrivateKey(bytes.fromhex(case["skRm"]))
        assert private.public.to_bytes().hex() == case["pkRm"]
        assert private.decapsulate(bytes.fromhex(case["enc"])).hex() == case["shared_secret"]


def test_the_suite_of_hybrid_recipients(vectors: Path) -> None:
    """Whole messages of the suite that age's hybrid recipients use.

    They have associated data, which `cryptography` takes by a private function only; the others of one key
    are sealed in a row, which it does not offer.
    """
    cases = json.loads((vectors / "hpke" / "hpke-pq-test-vectors.json").read_text())
    (case,) = [c for c in cases if (c["kem_id"], c["kdf_id"], c["aead_id"]) == (0x647A, 1, 3)]
    first = {name: bytes.fromhex(value) for name, value in case["encryptions"][0].items()}
    sealed, info = bytes.fromhex(case["enc"]) + first["ct"], bytes.fromhex(case["info"])
    key = AgeKey(bytes.fromhex(case["skRm"]))._key
    assert openssl.hpke._decrypt_with_aad(SUITE, sealed, key, info, first["aad"]) == first["pt"]
    with pytest.raises(InvalidTag):
        openssl.hpke._decrypt_with_aad(SUITE, sealed, key, info + b"?", first["aad"])


@pytest.mark.parametrize(("kem_id", "name", "count"), [(0x41, "ML-KEM-768", 1), (0x42, "ML-KEM-1024", 2)])
def test_ml_kem(vectors: Path, kem_id: int, name: str, count: int) -> None:
    """The file's others are ML-KEM-512, whose seeds no library here takes, and hybrids with NIST's curves."""
    cases = json.loads((vectors / "hpke" / "hpke-pq-test-vectors.json").read_text())
    ours = [case for case in cases if case["kem_id"] == kem_id]
    assert len(ours) == count
    for case in ours:
        private = kem.algorithm(name).private_key(bytes.fromhex(case["skRm"]))
        assert private.public.to_bytes().hex() == case["pkRm"]
        assert private.decapsulate(bytes.fromhex(case["enc"])).hex() == case["shared_secret"]
