"""The older recipient `X25519`, for reading only: it does not resist a quantum computer."""

from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pqc.age import bech32
from pqc.age.errors import HeaderError
from pqc.age.header import FILE_KEY_BYTES, Stanza, decode64, hkdf
from pqc.checks import Buffer, Secret, exact_bytes

KIND = "X25519"
INFO = b"age-encryption.org/v1/X25519"
KEY_PREFIX = "age-secret-key-"
ZERO_NONCE = bytes(12)  # the key is used once


class ClassicalKey(Secret):
    """Opens older files: an X25519 private key of 32 bytes."""

    __slots__ = ("_key",)

    def __init__(self, raw: Buffer) -> None:
        """Take 32 bytes. Raises ValueError for another length."""
        self._key = X25519PrivateKey.from_private_bytes(exact_bytes(raw, 32, "X25519 key"))

    @classmethod
    def parse(cls, text: str) -> "ClassicalKey":
        """Read `AGE-SECRET-KEY-1...`. Raises ValueError, without showing the text."""
        return cls(bech32.decode(KEY_PREFIX, text))

    def unwrap(self, stanzas: Iterable[Stanza]) -> bytes | None:
        """Return the file key of the first stanza that is ours, None without one. Raises HeaderError."""
        for stanza in stanzas:
            if stanza.kind == KIND and (file_key := self._open(*_checked(stanza))) is not None:
                return file_key
        return None

    def _open(self, share: bytes, body: bytes) -> bytes | None:
        try:
            secret = self._key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:
            raise HeaderError(f"{KIND}: expected a share of large order, got one that gives zero") from None
        wrap_key = hkdf(secret, share + self._key.public_key().public_bytes_raw(), INFO)
        try:
            return ChaCha20Poly1305(wrap_key).decrypt(ZERO_NONCE, body, None)
        except InvalidTag:
            return None

    def __repr__(self) -> str:
        return "<ClassicalKey>"


def _checked(stanza: Stanza) -> tuple[bytes, bytes]:
    if len(stanza.arguments) != 2:
        raise HeaderError(f"{KIND}: expected 2 arguments, got {len(stanza.arguments)}")
    share = decode64(stanza.arguments[1].encode())
    if len(share) != 32 or len(stanza.body) != FILE_KEY_BYTES + 16:
        raise HeaderError(
            f"{KIND}: expected a share of 32 bytes and a body of {FILE_KEY_BYTES + 16}, "
            f"got {len(share)} and {len(stanza.body)}"
        )
    return share, stanza.body
