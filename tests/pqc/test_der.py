"""DER encodings of ML-KEM and ML-DSA keys: there and back, sizes of the RFCs, everything else refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pqc import der, kem, sign

ALGORITHMS = [
    algorithm(card.name, "cryptography")  # type: ignore[operator]
    for algorithm, cards in ((kem.algorithm, kem.algorithms()), (sign.algorithm, sign.algorithms()))
    for card in cards
    if card.backend == "cryptography"
]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda algorithm: algorithm.card.name)
def test_keys_survive_der(algorithm: kem.Kem | sign.Signer) -> None:
    private = algorithm.generate()
    again = der.read_pkcs8(private.to_pkcs8())
    assert again.to_bytes() == private.to_bytes()
    assert again.algorithm == private.algorithm
    assert der.read_spki(private.public.to_spki()) == private.public
    assert len(private.public.to_spki()) == algorithm.card.public_bytes + 22


def test_seed_form_of_rfc_9935() -> None:
    private = kem.algorithm("ML-KEM-768").generate()
    assert len(private.to_pkcs8()) == 86
    assert private.to_pkcs8().endswith(b"\x80\x40" + private.to_bytes())


def test_damaged_truncated_and_foreign_der_is_refused() -> None:
    pkcs8 = kem.algorithm("ML-KEM-768").generate().to_pkcs8()
    for cut in range(len(pkcs8)):
        with pytest.raises(ValueError, match="expected"):
            der.read_pkcs8(pkcs8[:cut])
    foreign = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(ValueError, match="expected an ML-KEM or ML-DSA key, got Ed25519PublicKey"):
        der.read_spki(foreign.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ValueError, match="at most 16384 bytes, got 20000"):
        der.read_spki(bytes(20000))


def test_a_backend_without_an_encoding_says_so() -> None:
    private = kem.algorithm("ML-KEM-768", "pqcrypto").generate()
    with pytest.raises(ValueError, match="no PKCS#8"):
        private.to_pkcs8()
    with pytest.raises(ValueError, match="no SubjectPublicKeyInfo"):
        private.public.to_spki()
    signer = sign.algorithm("SLH-DSA-SHA2-128f").generate()
    with pytest.raises(ValueError, match="no PKCS#8"):
        signer.to_pkcs8()
    with pytest.raises(ValueError, match="no SubjectPublicKeyInfo"):
        signer.public.to_spki()
