"""Certificates: only our own shape of them is read."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.x509.oid import NameOID

import pqc
from pqc import certificate

ML_DSA = MLDSA65PrivateKey.generate()
COMMON = x509.NameAttribute(NameOID.COMMON_NAME, "alice")
KEY = x509.UnrecognizedExtension(certificate.ED25519_EXTENSION, bytes(range(32)))


def signed(
    names: list[x509.NameAttribute[str]],
    extensions: list[x509.UnrecognizedExtension],
    key: MLDSA65PrivateKey | Ed25519PrivateKey = ML_DSA,
) -> x509.Certificate:
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name(names),
        subject_name=x509.Name(names),
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=certificate.NOT_BEFORE,
        not_valid_after=certificate.NOT_AFTER,
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, None)


def test_a_good_one_tells_its_identity(alice: pqc.Identity) -> None:
    assert certificate.read(alice.certificate) == alice.public
    assert alice.certificate.not_valid_after_utc.year == 9999
    assert certificate.read(signed([COMMON], [KEY])).ed25519_key == bytes(range(32))


@pytest.mark.parametrize(
    ("names", "extensions", "why"),
    [
        ([], [KEY], "expected one common name, got ''"),
        ([COMMON, COMMON], [KEY], "expected one common name, got 'CN=alice,CN=alice'"),
        ([COMMON, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x")], [KEY], "expected one common name"),
        ([x509.NameAttribute(NameOID.COMMON_NAME, "a/../b")], [KEY], "name: expected 1 to 64"),
        ([COMMON], [], "expected an extension with an Ed25519 key, got none"),
        (
            [COMMON],
            [x509.UnrecognizedExtension(certificate.ED25519_EXTENSION, bytes(31))],
            "Ed25519 public key: expected 32 bytes, got 31",
        ),
    ],
)
def test_other_shapes_are_refused(
    names: list[x509.NameAttribute[str]], extensions: list[x509.UnrecognizedExtension], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        certificate.read(signed(names, extensions))


def test_another_kind_of_key_is_refused() -> None:
    with pytest.raises(ValueError, match="expected ML-DSA-65, got Ed25519PublicKey"):
        certificate.read(signed([COMMON], [KEY], Ed25519PrivateKey.generate()))
