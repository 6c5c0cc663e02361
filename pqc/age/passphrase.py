"""The recipient `scrypt`: whoever knows the passphrase opens the file; it stands alone in its header."""

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pqc.age.errors import HeaderError
from pqc.age.header import FILE_KEY_BYTES, Stanza, decode64, encode64
from pqc.checks import Secret

KIND = "scrypt"
LABEL = b"age-encryption.org/v1/scrypt"
SALT_BYTES = 16
WORK_LOG2 = 17  # N = 2^17, r = 8, p = 1: 128 MiB and about 0.3 s, the first choice of OWASP's list
MAX_WORK_LOG2 = 20  # 1 GiB: the most we spend on a file that somebody gave us
ZERO_NONCE = bytes(12)  # the key is used once


class Passphrase(Secret):
    """Both a recipient and a key."""

    __slots__ = ("_text", "_work_log2")

    def __init__(self, text: str, work_log2: int | None = None) -> None:
        """Take a passphrase; the work factor is for sealing and is `WORK_LOG2` unless given.

        Raises TypeError for what is not text, ValueError for an empty passphrase.
        """
        if not isinstance(text, str):
            raise TypeError(f"passphrase: expected str, got {type(text).__name__}")
        if not text:
            raise ValueError("passphrase: expected at least one character, got an empty one")
        self._text, self._work_log2 = text, WORK_LOG2 if work_log2 is None else work_log2

    def wrap(self, file_key: bytes) -> Stanza:
        """Make the only stanza of a header."""
        salt = secrets.token_bytes(SALT_BYTES)
        body = self._cipher(salt, self._work_log2).encrypt(ZERO_NONCE, file_key, None)
        return Stanza((KIND, encode64(salt), str(self._work_log2)), body)

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """Return the file key, None for another passphrase or another kind of file. Raises HeaderError."""
        ours = [stanza for stanza in stanzas if stanza.kind == KIND]
        if not ours:
            return None
        if len(stanzas) != 1:
            raise HeaderError(f"{KIND}: expected to be the only stanza, got {len(stanzas)} stanzas")
        salt, work_log2 = _checked(ours[0])
        try:
            return self._cipher(salt, work_log2).decrypt(ZERO_NONCE, ours[0].body, None)
        except InvalidTag:
            return None

    def _cipher(self, salt: bytes, work_log2: int) -> ChaCha20Poly1305:
        kdf = Scrypt(salt=LABEL + salt, length=32, n=1 << work_log2, r=8, p=1)
        return ChaCha20Poly1305(kdf.derive(self._text.encode()))

    def __repr__(self) -> str:
        return "<Passphrase>"


def _checked(stanza: Stanza) -> tuple[bytes, int]:
    if len(stanza.arguments) != 3:
        raise HeaderError(f"{KIND}: expected 3 arguments, got {len(stanza.arguments)}")
    salt, work = decode64(stanza.arguments[1].encode()), stanza.arguments[2]
    if len(salt) != SALT_BYTES or len(stanza.body) != FILE_KEY_BYTES + 16:
        raise HeaderError(
            f"{KIND}: expected a salt of {SALT_BYTES} bytes and a body of {FILE_KEY_BYTES + 16}, "
            f"got {len(salt)} and {len(stanza.body)}"
        )
    if not (work.isascii() and work.isdigit()) or work.startswith("0") or len(work) > 2:
        raise HeaderError(f"{KIND}: expected a work factor of 1 to {MAX_WORK_LOG2}, got {work[:20]!r}")
    if int(work) > MAX_WORK_LOG2:
        raise HeaderError(f"{KIND}: expected a work factor of 1 to {MAX_WORK_LOG2}, got {work}")
    return salt, int(work)
