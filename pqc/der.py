"""Keys of the standards as DER: SubjectPublicKeyInfo and PKCS#8 (RFC 9935 for ML-KEM, RFC 9881 for ML-DSA).

Private keys are written and read in the clear and as seeds only; an `envelope` protects them. The
algorithms of `pqcrypto` have no registered encoding and travel raw.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from pqc import kem, kem_cryptography, sign, sign_cryptography
from pqc.checks import Buffer, as_bytes

MAX_DER_BYTES = 16 * 1024


def read_spki(der: Buffer) -> kem.PublicKey | sign.PublicKey:
    """Read a public key of ML-KEM or ML-DSA. Raises ValueError for anything else."""
    key = _loaded(load_der_public_key, der, "SubjectPublicKeyInfo")
    return _algorithm(key).public_key(key.public_bytes_raw())


def read_pkcs8(der: Buffer) -> kem.PrivateKey | sign.PrivateKey:
    """Read a private key of ML-KEM or ML-DSA in seed form. Raises ValueError for anything else."""
    key = _loaded(partial(load_der_private_key, password=None), der, "PKCS#8")
    return _algorithm(key).private_key(key.private_bytes_raw())


def _loaded(load: Callable[[bytes], Any], der: Buffer, what: str) -> Any:
    raw = as_bytes(der, what)
    if len(raw) > MAX_DER_BYTES:
        raise ValueError(f"{what}: expected at most {MAX_DER_BYTES} bytes, got {len(raw)}")
    try:
        return load(raw)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"{what}: expected an ML-KEM or ML-DSA key in DER, got {error}") from None


def _algorithm(key: object) -> kem.Kem | sign.Signer:
    for kem_maker in kem_cryptography.MAKERS:
        if kem_maker.owns(key):
            return kem.Kem(kem_maker)
    for sign_maker in sign_cryptography.MAKERS:
        if sign_maker.owns(key):
            return sign.Signer(sign_maker)
    raise ValueError(f"expected an ML-KEM or ML-DSA key, got {type(key).__name__}")
