"""Self-signed ML-DSA-65 certificates (RFC 9881): the coat in which TLS wants to see an identity.

Nobody vouches for them and they never expire: a certificate is believed because its keys' fingerprint is
pinned. The Ed25519 key of the identity travels in an extension, so that one fingerprint covers both keys.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.x509.oid import NameOID

from pqc.public import PublicIdentity

# Below 2.25 everybody may use the number of a UUID (ITU-T X.667); this one was drawn for the Ed25519 key.
ED25519_EXTENSION = x509.ObjectIdentifier("2.25.252410883741021590811733214735106153497")
NOT_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280 section 4.1.2.5: no expiry


def make(public: PublicIdentity, ml_dsa: MLDSA65PrivateKey) -> x509.Certificate:
    """Certify `public` with its own ML-DSA-65 key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, public.name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(ml_dsa.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.UnrecognizedExtension(ED25519_EXTENSION, public.ed25519_key), critical=False)
    )
    return builder.sign(ml_dsa, None)


def read(certificate: x509.Certificate) -> PublicIdentity:
    """Return the identity that a certificate claims. Raises ValueError saying what is not as expected.

    The claim is worth nothing until the fingerprint is found pinned and the peer has proved its key.
    """
    key = certificate.public_key()
    if not isinstance(key, MLDSA65PublicKey):
        raise ValueError(f"certificate key: expected ML-DSA-65, got {type(key).__name__}")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1 or len(certificate.subject.rdns) != 1:
        raise ValueError(
            f"certificate: expected one common name, got {certificate.subject.rfc4514_string()!r}"
        )
    return PublicIdentity(str(names[0].value), key.public_bytes_raw(), _ed25519_key(certificate))


def _ed25519_key(certificate: x509.Certificate) -> bytes:
    try:
        extension = certificate.extensions.get_extension_for_oid(ED25519_EXTENSION).value
    except x509.ExtensionNotFound:
        raise ValueError("certificate: expected an extension with an Ed25519 key, got none") from None
    assert isinstance(extension, x509.UnrecognizedExtension)
    return extension.value
