"""Whole age files: a header for some recipients, then the body."""

import secrets
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO, Protocol

from pqc.age import header, stream
from pqc.age.errors import HeaderError, NoMatchError
from pqc.age.header import FILE_KEY_BYTES, Header, Stanza
from pqc.age.passphrase import KIND as PASSPHRASE_KIND
from pqc.age.passphrase import Passphrase


class Recipient(Protocol):
    """Somebody a file can be sealed for."""

    def wrap(self, file_key: bytes) -> Stanza:
        """Return a stanza that its owner can open."""
        ...


class Key(Protocol):
    """Something that opens files."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> bytes | None:
        """Return the file key, None where no stanza fits. Raises HeaderError."""
        ...


def wrap(file_key: bytes, recipients: Sequence[Recipient]) -> list[Stanza]:
    """Wrap a file key for all recipients. Raises ValueError without any, or for a passphrase not alone."""
    if not recipients:
        raise ValueError("recipients: expected at least one, got none")
    if len(recipients) > 1 and any(isinstance(recipient, Passphrase) for recipient in recipients):
        raise ValueError(f"recipients: expected a passphrase alone, got {len(recipients)} recipients")
    return [recipient.wrap(file_key) for recipient in recipients]


def unwrap(source: BinaryIO, keys: Sequence[Key]) -> tuple[Header, bytes]:
    """Read the header and find the file key; `source` then stands at the body.

    Raises HeaderError for a header that breaks the format or was changed, NoMatchError.
    """
    head = header.read(source)
    for key in keys:
        file_key = key.unwrap(head.stanzas)
        if file_key is not None:
            if len(file_key) != FILE_KEY_BYTES:
                raise HeaderError(f"file key: expected {FILE_KEY_BYTES} bytes, got {len(file_key)}")
            head.verify(file_key)
            return head, file_key
    kinds = sorted({stanza.kind for stanza in head.stanzas})
    hint = "wrong passphrase" if kinds == [PASSPHRASE_KIND] else f"the file has recipients of type {kinds}"
    raise NoMatchError(f"none of {len(keys)} keys opens this file: {hint}")


def seal_bytes(plain: bytes, recipients: Sequence[Recipient]) -> bytes:
    """Seal bytes."""
    file_key = secrets.token_bytes(FILE_KEY_BYTES)
    sink = BytesIO()
    sink.write(header.make(wrap(file_key, recipients), file_key).to_bytes())
    stream.encrypt(file_key, BytesIO(plain), sink.write)
    return sink.getvalue()


def open_bytes(sealed: bytes, keys: Sequence[Key]) -> bytes:
    """Open bytes, all or nothing. Raises HeaderError, NoMatchError, PayloadError."""
    source, sink = BytesIO(sealed), BytesIO()
    _, file_key = unwrap(source, keys)
    stream.decrypt(file_key, source, sink.write)
    return sink.getvalue()
