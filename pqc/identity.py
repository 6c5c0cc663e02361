"""Who I am: a named pair of signing keys, ML-DSA-65 and Ed25519, kept in one protected file.

The file is an age file under a passphrase that holds both keys as PKCS#8 and the certificate, in PEM. The
ML-DSA-65 key proves the identity in a channel. Both together sign files and handshakes, so that a
signature holds as long as one of the two algorithms does.
"""

import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pqc import certificate, composite
from pqc.age import file
from pqc.age.passphrase import Passphrase
from pqc.checks import Buffer, Secret, checked_name
from pqc.files import new_file
from pqc.public import PublicIdentity

MAX_FILE_BYTES = 64 * 1024


class Identity(Secret):
    """A party with its private keys. Make one with `create` or `load`."""

    __slots__ = ("__weakref__", "_ed25519", "_ml_dsa", "certificate", "public")

    def __init__(
        self,
        name: str,
        ml_dsa: MLDSA65PrivateKey,
        ed25519: Ed25519PrivateKey,
        cert: x509.Certificate | None = None,
    ) -> None:
        self._ml_dsa, self._ed25519 = ml_dsa, ed25519
        self.public = PublicIdentity(
            checked_name(name),
            ml_dsa.public_key().public_bytes_raw(),
            ed25519.public_key().public_bytes_raw(),
        )
        self.certificate = cert or certificate.make(self.public, ml_dsa)

    @classmethod
    def create(cls, name: str) -> "Identity":
        """Make a new identity. Raises ValueError for a name outside `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`."""
        return cls(checked_name(name), MLDSA65PrivateKey.generate(), Ed25519PrivateKey.generate())

    @property
    def name(self) -> str:
        """The name it goes by."""
        return self.public.name

    @property
    def fingerprint(self) -> str:
        """What others compare and pin."""
        return self.public.fingerprint

    def save(self, path: str | os.PathLike[str], *, passphrase: str) -> None:
        """Write the identity to a file that only the owner may read (0600), whole or not at all.

        Raises ValueError for an empty passphrase, FileExistsError where `path` exists: keys are not lost.
        """
        with new_file(Path(path)) as sink:
            sink.write(file.seal_bytes(self._to_pem(), [Passphrase(passphrase)]))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, passphrase: str) -> "Identity":
        """Read a saved identity. Raises ValueError for a wrong passphrase or a damaged file."""
        with Path(path).open("rb") as source:
            sealed = source.read(MAX_FILE_BYTES + 1)
        if len(sealed) > MAX_FILE_BYTES:
            raise ValueError(f"identity file: expected at most {MAX_FILE_BYTES} bytes, got more")
        return cls._from_pem(file.open_bytes(sealed, [Passphrase(passphrase)]))

    def sign_digest(self, sha512: Buffer, context: Buffer) -> bytes:
        """Sign a message of which the SHA-512 digest is given, with both keys: 3373 bytes."""
        return composite.sign_digest(self._ml_dsa, self._ed25519, sha512, context)

    def derive(self, label: str) -> bytes:
        """Return 32 secret bytes that only this identity can make: the same for the same label.

        HKDF-SHA256 (RFC 5869) over both private seeds. A rotated identity has other ones.
        """
        seeds = self._ml_dsa.private_bytes_raw() + self._ed25519.private_bytes_raw()
        return HKDF(SHA256(), 32, salt=None, info=b"latticework identity " + label.encode()).derive(seeds)

    def private_key_pem(self) -> bytes:
        """Return the ML-DSA-65 private key in the clear as PKCS#8, for the TLS library only."""
        return self._ml_dsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def _to_pem(self) -> bytes:
        ed25519 = self._ed25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self.private_key_pem() + ed25519 + self.certificate.public_bytes(Encoding.PEM)

    @classmethod
    def _from_pem(cls, pem: bytes) -> "Identity":
        blocks = pem.split(b"-----BEGIN ")
        if len(blocks) != 4:
            raise ValueError(f"identity file: expected 3 PEM blocks, got {len(blocks) - 1}")
        first, second, third = (b"-----BEGIN " + block for block in blocks[1:])
        ml_dsa, ed25519 = load_pem_private_key(first, None), load_pem_private_key(second, None)
        if not isinstance(ml_dsa, MLDSA65PrivateKey) or not isinstance(ed25519, Ed25519PrivateKey):
            raise ValueError(
                "identity file: expected an ML-DSA-65 and an Ed25519 key, "
                f"got {type(ml_dsa).__name__} and {type(ed25519).__name__}"
            )
        cert = x509.load_pem_x509_certificate(third)
        identity = cls(certificate.read(cert).name, ml_dsa, ed25519, cert)
        if certificate.read(cert) != identity.public:
            raise ValueError("identity file: expected a certificate of the keys beside it, got another's")
        return identity

    def __repr__(self) -> str:
        return f"Identity({self.name!r}, {self.fingerprint})"
