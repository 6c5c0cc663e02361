"""The KEMs inside HPKE: vectors of draft-ietf-hpke-pq, whose shared secrets are what ours decapsulate to."""

import json
from pathlib import Path

import pytest

from pqc import kem
from pqc.hybrid import XWingPrivateKey


def test_x_wing(vectors: Path) -> None:
    cases = json.loads((vectors / "hpke" / "hpke-pq-test-vectors.json").read_text())
    ours = [case for case in cases if case["kem_id"] == 0x647A]
    assert len(ours) == 2
    for case in ours:
        private = XWingPrivateKey(bytes.fromhex(case["skRm"]))
        assert private.public.to_bytes().hex() == case["pkRm"]
        assert private.decapsulate(bytes.fromhex(case["enc"])).hex() == case["shared_secret"]


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
