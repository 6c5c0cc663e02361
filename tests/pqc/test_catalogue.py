"""The list of algorithms says what the code does."""

import pqc
from pqc import kem, sign


def test_every_algorithm_is_listed_once_and_found_by_its_name() -> None:
    cards = pqc.available()
    assert len({(card.name, card.backend) for card in cards}) == len(cards) == 2 + 24 + 18
    for card in cards[1:]:
        if card.name != "MLDSA65-Ed25519-SHA512":
            find = kem.algorithm if card.kind == "KEM" else sign.algorithm
            assert find(card.name, card.backend).card == card  # type: ignore[operator]


def test_the_unaudited_backend_is_never_preferred() -> None:
    for card in pqc.available():
        assert card.audited == (card.backend == "cryptography")
    assert kem.algorithm("ML-KEM-768").card.audited
    assert sign.algorithm("ML-DSA-65").card.audited


def test_the_public_face_is_small() -> None:
    assert len(pqc.__all__) <= 10
    assert all(getattr(pqc, name) is not None for name in pqc.__all__)
