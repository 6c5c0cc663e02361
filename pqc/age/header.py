"""The header of an age file: a version line, one stanza for each recipient, and a MAC over all of it."""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import BinaryIO

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pqc.age.errors import HeaderError

VERSION_LINE = b"age-encryption.org/v1\n"
COLUMNS = 64
MAX_HEADER_BYTES = 4 * 1024 * 1024  # about 2500 hybrid recipients
FILE_KEY_BYTES = 16
ARGUMENT = re.compile(rb"[\x21-\x7e]+")
BASE64 = re.compile(rb"[A-Za-z0-9+/]*")


@dataclass(frozen=True)
class Stanza:
    """One wrapping of the file key: its arguments (the first is the type) and a body."""

    arguments: tuple[str, ...]
    body: bytes

    @property
    def kind(self) -> str:
        """The type of the recipient."""
        return self.arguments[0]

    def to_bytes(self) -> bytes:
        """Write it; the body is wrapped at 64 columns and ends with a shorter line."""
        text = encode64(self.body)
        lines = [text[start : start + COLUMNS] for start in range(0, len(text) + 1, COLUMNS)]
        return "\n".join(["-> " + " ".join(self.arguments), *lines, ""]).encode()


@dataclass(frozen=True)
class Header:
    """All stanzas, the bytes that the MAC covers, and the MAC."""

    stanzas: tuple[Stanza, ...]
    covered: bytes
    mac: bytes

    def to_bytes(self) -> bytes:
        """Write it, the last line feed included."""
        return self.covered + b" " + encode64(self.mac).encode() + b"\n"

    def verify(self, file_key: bytes) -> None:
        """Raise HeaderError unless the MAC fits."""
        if not hmac.compare_digest(_mac(file_key, self.covered), self.mac):
            raise HeaderError("the header's MAC is wrong: the header was changed")


def make(stanzas: list[Stanza], file_key: bytes) -> Header:
    """Put a header together and authenticate it."""
    covered = VERSION_LINE + b"".join(stanza.to_bytes() for stanza in stanzas) + b"---"
    return Header(tuple(stanzas), covered, _mac(file_key, covered))


def read(source: BinaryIO) -> Header:
    """Read a header and leave `source` where the body begins. Raises HeaderError for any deviation."""
    if (version := source.readline(len(VERSION_LINE))) != VERSION_LINE:
        raise HeaderError(f"expected {VERSION_LINE!r} first, got {version!r}")
    lines = _Lines(source)
    stanzas = []
    while (line := lines.next()).startswith(b"-> "):
        stanzas.append(_read_stanza(line, lines))
    if not stanzas:
        raise HeaderError(f"expected a recipient stanza, got {line[:40]!r}")
    if not line.startswith(b"--- "):
        raise HeaderError(f"expected a stanza or the MAC, got {line[:40]!r}")
    mac = decode64(line[4:-1])
    if len(mac) != hashlib.sha256().digest_size:
        raise HeaderError(f"MAC: expected 32 bytes, got {len(mac)}")
    return Header(tuple(stanzas), VERSION_LINE + bytes(lines.taken[: -len(line)]) + b"---", mac)


class _Lines:
    """Takes lines off a source, with a bound on all of them together."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.taken = bytearray()

    def next(self) -> bytes:
        room = MAX_HEADER_BYTES - len(self.taken)
        line = self._source.readline(room + 1)
        if len(line) > room:
            raise HeaderError(f"header: expected at most {MAX_HEADER_BYTES} bytes, got more")
        if not line.endswith(b"\n"):
            raise HeaderError("header: expected another line, got the end of the file")
        self.taken += line
        return line


def _read_stanza(line: bytes, lines: _Lines) -> Stanza:
    arguments = line[3:-1].split(b" ")
    if not all(ARGUMENT.fullmatch(argument) for argument in arguments):
        raise HeaderError(f"stanza: expected arguments separated by one space, got {line[:40]!r}")
    text = bytearray()
    while True:
        part = lines.next()[:-1]
        if len(part) > COLUMNS:
            raise HeaderError(f"stanza body: expected lines of at most {COLUMNS} characters, got {len(part)}")
        text += part
        if len(part) < COLUMNS:
            break
    return Stanza(tuple(argument.decode() for argument in arguments), decode64(bytes(text)))


def encode64(data: bytes) -> str:
    """Base64 without padding."""
    return base64.b64encode(data).rstrip(b"=").decode()


def decode64(text: bytes) -> bytes:
    """Read base64 without padding. Raises HeaderError for anything that `encode64` would not write."""
    try:
        if not BASE64.fullmatch(text):
            raise HeaderError(f"base64: expected A-Z a-z 0-9 + / and no padding, got {text[:40]!r}")
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise HeaderError(f"base64: {error}") from None
    if encode64(data).encode() != text:
        raise HeaderError("base64: expected zero bits at the end, got a non-canonical ending")
    return data


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 to 32 bytes, the only key derivation of the format."""
    return HKDF(SHA256(), 32, salt, info).derive(key)


def _mac(file_key: bytes, covered: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, b"", b"header"), covered, "sha256")
