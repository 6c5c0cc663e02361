"""The hybrid recipient `mlkem768x25519`: the file key under HPKE with X-Wing (KEM 0x647a).

    key = AgeKey.generate()            # AGE-SECRET-KEY-PQ-1...
    recipient = key.recipient          # age1pq1..., about 1960 characters

Safe as long as ML-KEM-768 or X25519 is. A recipient's files cannot be linked to the recipient.
"""

import secrets
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from pqc import hybrid
from pqc.age import bech32
from pqc.age.errors import HeaderError
from pqc.age.header import FILE_KEY_BYTES, Stanza, decode64, encode64
from pqc.checks import Buffer, Secret, exact_bytes

KIND = "mlkem768x25519"
INFO = b"age-encryption.org/mlkem768x25519"
KEY_PREFIX = "age-secret-key-pq-"
RECIPIENT_PREFIX = "age1pq"
BODY_BYTES = FILE_KEY_BYTES + 16
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class AgeRecipient:
    """Whom a file is for: an X-Wing public key of 1216 bytes."""

    __slots__ = ("_key", "_raw")

    def __init__(self, raw: Buffer) -> None:
        """Read 1216 bytes. Raises ValueError for another length or an ML-KEM key that is not reduced."""
        self._raw = hybrid.XWingPublicKey(raw).to_bytes()
        self._key = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(self._raw[: hybrid.MLKEM_PUBLIC_BYTES]),
            X25519PublicKey.from_public_bytes(self._raw[hybrid.MLKEM_PUBLIC_BYTES :]),
        )

    @classmethod
    def parse(cls, text: str) -> "AgeRecipient":
        """Read `age1pq1...`. Raises ValueError."""
        return cls(bech32.decode(RECIPIENT_PREFIX, text))

    def wrap(self, file_key: bytes) -> Stanza:
        """Make the stanza with which the owner finds the file key."""
        sealed = SUITE.encrypt(file_key, self._key, info=INFO)
        enc, body = sealed[: hybrid.CIPHERTEXT_BYTES], sealed[hybrid.CIPHERTEXT_BYTES :]
        return Stanza((KIND, encode64(enc)), body)

    def __str__(self) -> str:
        return bech32.encode(RECIPIENT_PREFIX, self._raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AgeRecipient) and self._raw == other._raw

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"<AgeRecipient {str(self)[:16]}...>"


class AgeKey(Secret):
    """Opens files: an X-Wing seed of 32 bytes."""

    __slots__ = ("_key", "_seed", "_x25519", "recipient")

    def __init__(self, seed: Buffer) -> None:
        """Take a seed of 32 bytes. Raises ValueError for another length."""
        self._seed = exact_bytes(seed, hybrid.SEED_BYTES, "age key")
        mlkem_seed, x25519_key = hybrid.expand(self._seed)
        self._x25519 = X25519PrivateKey.from_private_bytes(x25519_key)
        self._key = MLKEM768X25519PrivateKey(MLKEM768PrivateKey.from_seed_bytes(mlkem_seed), self._x25519)
        self.recipient = AgeRecipient(hybrid.XWingPrivateKey(self._seed).public.to_bytes())

    @classmethod
    def generate(cls) -> "AgeKey":
        """Make a key from the operating system's randomness."""
        return cls(secrets.token_bytes(hybrid.SEED_BYTES))

    @classmethod
    def parse(cls, text: str) -> "AgeKey":
        """Read `AGE-SECRET-KEY-PQ-1...`. Raises ValueError, without showing the text."""
        return cls(bech32.decode(KEY_PREFIX, text))

    def to_text(self) -> str:
        """Write the secret key as `AGE-SECRET-KEY-PQ-1...`."""
        return bech32.encode(KEY_PREFIX, self._seed).upper()

    def unwrap(self, stanzas: Iterable[Stanza]) -> bytes | None:
        """Return the file key of the first stanza that is ours, None without one. Raises HeaderError."""
        for stanza in stanzas:
            if stanza.kind == KIND and (file_key := self._open(*_checked(stanza))) is not None:
                return file_key
        return None

    def _open(self, enc: bytes, body: bytes) -> bytes | None:
        share = X25519PublicKey.from_public_bytes(enc[hybrid.MLKEM_CIPHERTEXT_BYTES :])
        try:
            self._x25519.exchange(share)
        except ValueError:
            # HPKE answers this like any other stanza of somebody else, but the format calls it an attack.
            raise HeaderError(f"{KIND}: expected a share of large order, got one that gives zero") from None
        try:
            return SUITE.decrypt(enc + body, self._key, info=INFO)
        except InvalidTag:
            return None

    def __repr__(self) -> str:
        return f"<AgeKey of {self.recipient!r}>"


def _checked(stanza: Stanza) -> tuple[bytes, bytes]:
    if len(stanza.arguments) != 2:
        raise HeaderError(f"{KIND}: expected 2 arguments, got {len(stanza.arguments)}")
    enc = decode64(stanza.arguments[1].encode())
    if len(enc) != hybrid.CIPHERTEXT_BYTES:
        raise HeaderError(f"{KIND}: expected {hybrid.CIPHERTEXT_BYTES} bytes of key share, got {len(enc)}")
    if len(stanza.body) != BODY_BYTES:
        raise HeaderError(f"{KIND}: expected a body of {BODY_BYTES} bytes, got {len(stanza.body)}")
    return enc, stanza.body
