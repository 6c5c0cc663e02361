"""Envelopes: bytes, files and streams of any size sealed for recipients, in constant memory (age v1 format).

    key = envelope.AgeKey.generate()
    sealed = envelope.seal_bytes(b"secret", [key.recipient], signer=me)
    plain, sender = envelope.open_bytes(sealed, [key], trust=trust)

There is no forward secrecy: who gets a recipient's key opens all its older files. Without a signer nothing
says who sealed a file. A rewrap does not take a file back from those who could open it before.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pqc import authorship
from pqc.age import header, stream
from pqc.age.errors import EnvelopeError, HeaderError, NoMatchError, PayloadError
from pqc.age.file import Key, Recipient, unwrap, wrap
from pqc.age.header import FILE_KEY_BYTES
from pqc.age.hybrid import AgeKey, AgeRecipient
from pqc.age.passphrase import Passphrase
from pqc.age.x25519 import ClassicalKey
from pqc.checks import Buffer, as_bytes
from pqc.files import new_file
from pqc.identity import Identity
from pqc.trust import TrustStore

__all__ = [
    "AgeKey",
    "AgeRecipient",
    "ClassicalKey",
    "EnvelopeError",
    "HeaderError",
    "NoMatchError",
    "Passphrase",
    "PayloadError",
    "inspect",
    "open_bytes",
    "open_file",
    "open_stream",
    "rewrap",
    "rewrap_file",
    "seal_bytes",
    "seal_file",
    "seal_stream",
]

COPY_BYTES = 1 << 20


class Opened(NamedTuple):
    """What was sealed, and the pinned name of the signer: None where no trust store was given to check it."""

    content: bytes
    sender: str | None

    def __repr__(self) -> str:
        return f"Opened(content={len(self.content)} bytes, sender={self.sender!r})"


@dataclass(frozen=True)
class Contents:
    """What a file shows to somebody without a key."""

    stanzas: tuple[str, ...]
    signed: bool
    header_bytes: int
    content_bytes: int


def seal_stream(
    source: BinaryIO, sink: BinaryIO, recipients: Sequence[Recipient], *, signer: Identity | None = None
) -> None:
    """Seal all of `source` into `sink`.

    With a signer the sealed body waits in a temporary file, for the signature stands before it. Raises
    ValueError without recipients, or for a passphrase beside another recipient or a signer.
    """
    file_key = secrets.token_bytes(FILE_KEY_BYTES)
    stanzas = wrap(file_key, recipients)
    if signer is not None and isinstance(recipients[0], Passphrase):
        raise ValueError("signer: expected none, for a passphrase stands alone in its header, got one")
    if signer is None:
        sink.write(header.make(stanzas, file_key).to_bytes())
        stream.encrypt(file_key, source, sink.write)
        return
    with tempfile.TemporaryFile() as body:
        stream.encrypt(file_key, source, body.write)
        body.seek(0)
        stanzas.append(authorship.stanza(signer, file_key, body))
        sink.write(header.make(stanzas, file_key).to_bytes())
        body.seek(0)
        shutil.copyfileobj(body, sink, COPY_BYTES)


def open_stream(
    source: BinaryIO, sink: BinaryIO, keys: Sequence[Key], *, trust: TrustStore | None = None
) -> str | None:
    """Open `source` into `sink`, chunk by authentic chunk; return the signer's name where `trust` is given.

    With a trust store the whole body is read and the signature verified before anything is written; a
    source that cannot be read twice is copied, still sealed, to a temporary file. Raises HeaderError,
    NoMatchError, PayloadError, and PeerRefused for a signer that is not pinned.
    """
    head, file_key = unwrap(source, keys)
    if trust is None:
        stream.decrypt(file_key, source, sink.write)
        return None
    with _rereadable(source) as body:
        start = body.tell()
        sender = authorship.verify(head.stanzas, file_key, body, trust)
        body.seek(start)
        stream.decrypt(file_key, body, sink.write)
    return sender


def rewrap(source: BinaryIO, sink: BinaryIO, keys: Sequence[Key], recipients: Sequence[Recipient]) -> None:
    """Write the same sealed body with a header for other recipients, signature kept. Raises like opening."""
    head, file_key = unwrap(source, keys)
    kept = [stanza for stanza in head.stanzas if stanza.kind == authorship.KIND]
    stanzas = wrap(file_key, recipients) + kept
    sink.write(header.make(stanzas, file_key).to_bytes())
    shutil.copyfileobj(source, sink, COPY_BYTES)


def inspect(source: BinaryIO) -> Contents:
    """Say what a file is without opening it. Raises HeaderError. Nothing of this is authenticated."""
    head = header.read(source)
    size = sum(len(piece) for piece in iter(lambda: source.read(COPY_BYTES), b""))
    sealed = max(0, size - stream.NONCE_BYTES)
    chunks = max(1, -(-sealed // (stream.CHUNK_BYTES + stream.TAG_BYTES)))
    kinds = tuple(stanza.kind for stanza in head.stanzas)
    content = max(0, sealed - chunks * stream.TAG_BYTES)
    return Contents(kinds, authorship.KIND in kinds, len(head.to_bytes()), content)


def seal_bytes(content: Buffer, recipients: Sequence[Recipient], *, signer: Identity | None = None) -> bytes:
    """Seal bytes; see `seal_stream`."""
    sink = BytesIO()
    seal_stream(BytesIO(as_bytes(content, "content")), sink, recipients, signer=signer)
    return sink.getvalue()


def open_bytes(sealed: Buffer, keys: Sequence[Key], *, trust: TrustStore | None = None) -> Opened:
    """Open bytes, all or nothing; see `open_stream`."""
    sink = BytesIO()
    sender = open_stream(BytesIO(as_bytes(sealed, "envelope")), sink, keys, trust=trust)
    return Opened(sink.getvalue(), sender)


def seal_file(
    path: str | os.PathLike[str],
    sealed: str | os.PathLike[str],
    recipients: Sequence[Recipient],
    *,
    signer: Identity | None = None,
) -> None:
    """Seal a file into a new one; see `seal_stream`. Raises FileExistsError where `sealed` exists."""
    with Path(path).open("rb") as source, new_file(Path(sealed)) as sink:
        seal_stream(source, sink, recipients, signer=signer)


def open_file(
    sealed: str | os.PathLike[str],
    path: str | os.PathLike[str],
    keys: Sequence[Key],
    *,
    trust: TrustStore | None = None,
) -> str | None:
    """Open a file into a new one (0600), whole or not at all; see `open_stream`."""
    with Path(sealed).open("rb") as source, new_file(Path(path)) as sink:
        return open_stream(source, sink, keys, trust=trust)


def rewrap_file(
    sealed: str | os.PathLike[str],
    path: str | os.PathLike[str],
    keys: Sequence[Key],
    recipients: Sequence[Recipient],
) -> None:
    """Write a sealed file for other recipients into a new one; see `rewrap`."""
    with Path(sealed).open("rb") as source, new_file(Path(path)) as sink:
        rewrap(source, sink, keys, recipients)


@contextmanager
def _rereadable(source: BinaryIO) -> Iterator[BinaryIO]:
    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source, copy, COPY_BYTES)
        copy.seek(0)
        yield copy
