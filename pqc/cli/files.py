"""Commands about files: seal, open, rewrap, sign, verify, inspect. `-` is standard input or output."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from pqc import envelope, signature
from pqc.age.file import Key, Recipient
from pqc.cli.options import IdentityFile, Secret, Trust, load_identity, passphrase, read_public
from pqc.envelope import AgeKey, AgeRecipient, ClassicalKey, Passphrase
from pqc.files import new_file
from pqc.statement import REVOCATION_MAGIC, ROTATION_MAGIC, Revocation, Rotation
from pqc.trust import TrustStore

SMALL_FILE_BYTES = 1 << 20  # signatures, certificates and statements are far below it

Source = Annotated[Path, typer.Argument(help="The file to read, - for standard input.")]
Sink = Annotated[Path, typer.Argument(help="The file to write, - for standard output; it must not exist.")]
Recipients = Annotated[
    list[str] | None, typer.Option("--recipient", "-r", help="age1pq1... or a file with one in each line.")
]
KeyFile = Annotated[Path | None, typer.Option("--key", "-k", help="A key file made by keygen --age.")]
ByPassphrase = Annotated[bool, typer.Option("--passphrase", "-p", help="Use a passphrase, not a key.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (seal, rewrap, sign, verify, inspect):
        app.command()(command)
    app.command("open")(open_command)


def seal(
    source: Source,
    sink: Sink,
    recipient: Recipients = None,
    by_passphrase: ByPassphrase = False,
    identity: Annotated[
        Path | None, typer.Option("--identity", "-i", help="Sign with this identity.")
    ] = None,
    secret: Secret = None,
) -> None:
    """Seal a file for recipients or under a passphrase."""
    recipients = _recipients(recipient or [], by_passphrase, secret)
    signer = None if identity is None else load_identity(identity, secret)
    with _read(source) as plain, _write(sink) as sealed:
        envelope.seal_stream(plain, sealed, recipients, signer=signer)


def open_command(
    source: Source,
    sink: Sink,
    key: KeyFile = None,
    by_passphrase: ByPassphrase = False,
    trust: Annotated[
        Path | None, typer.Option("--trust", "-t", help="Demand a signer from this file.")
    ] = None,
    secret: Secret = None,
) -> None:
    """Open a file; with --trust it must be signed by a pinned peer, who is shown."""
    keys = _keys(key, by_passphrase, secret)
    store = None if trust is None else TrustStore.load(trust)
    with _read(source) as sealed, _write(sink) as plain:
        sender = envelope.open_stream(sealed, plain, keys, trust=store)
    if sender is not None:
        typer.echo(f"signed by {sender}", err=True)


def rewrap(
    source: Source, sink: Sink, recipient: Recipients = None, key: KeyFile = None, secret: Secret = None
) -> None:
    """Change who can open a file without opening its content."""
    keys = _keys(key, False, secret)
    with _read(source) as sealed, _write(sink) as again:
        envelope.rewrap(sealed, again, keys, _recipients(recipient or [], False, None))


def sign(source: Source, sink: Sink, identity: IdentityFile, secret: Secret = None) -> None:
    """Sign a file into a detached signature."""
    signer = load_identity(identity, secret)
    with _read(source) as content, _write(sink) as made:
        made.write(signature.sign(signer, content))


def verify(
    source: Source, signed: Annotated[Path, typer.Argument(help="The detached signature.")], trust: Trust
) -> None:
    """Verify a detached signature and show who made it."""
    with _read(source) as content:
        typer.echo(signature.verify(signed.read_bytes(), content, TrustStore.load(trust)))


def inspect(source: Source) -> None:
    """Show what a file is, without keys; nothing of it says who may be trusted."""
    with _read_twice(source) as content:
        small = _small_file(content.read(SMALL_FILE_BYTES))
        if small is not None:
            typer.echo(small)
            return
        content.seek(0)
        seen = envelope.inspect(content)
    typer.echo(
        f"age file, {seen.content_bytes} bytes of content, {'signed' if seen.signed else 'not signed'}"
    )
    for kind in seen.stanzas:
        typer.echo(f"  stanza {kind}")


def _small_file(raw: bytes) -> str | None:
    """Say what a file of our own is; None for what may be an age file. Raises ValueError for a broken one."""
    if raw.startswith(signature.MAGIC):
        return f"detached signature, by its own word of {signature.signer(raw)!r}"
    if raw.startswith(b"-----BEGIN CERTIFICATE"):
        return f"certificate of {read_public(raw)!r}"
    if raw.startswith(ROTATION_MAGIC):
        rotation = Rotation.from_bytes(raw)
        return f"rotation of {rotation.old!r} to {rotation.new.fingerprint}, signed by both keys"
    if raw.startswith(REVOCATION_MAGIC):
        revocation = Revocation.from_bytes(raw)
        return f"revocation of {revocation.identity!r} by its own key: {revocation.reason}"
    return None


def _recipients(given: list[str], by_passphrase: bool, secret: Path | None) -> list[Recipient]:
    if by_passphrase:
        return [Passphrase(passphrase(secret, new=True))]
    texts = []
    for each in given:
        texts += [each] if each.startswith("age1") else Path(each).read_text().split()
    return [AgeRecipient.parse(text) for text in texts]


def _keys(path: Path | None, by_passphrase: bool, secret: Path | None) -> list[Key]:
    if by_passphrase:
        return [Passphrase(passphrase(secret))]
    if path is None:
        raise ValueError("expected --key FILE or --passphrase, got neither")
    raw = path.read_bytes()
    if raw.startswith(b"age-encryption.org/"):
        raw = envelope.open_bytes(raw, [Passphrase(passphrase(secret))]).content
    lines = [line.strip() for line in raw.decode().splitlines()]
    texts = [line for line in lines if line and not line.startswith("#")]
    return [AgeKey.parse(text) if "-PQ-" in text else ClassicalKey.parse(text) for text in texts]


@contextmanager
def _read(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with path.open("rb") as source:
            yield source


@contextmanager
def _read_twice(path: Path) -> Iterator[BinaryIO]:
    """Open a source that can be read again from its beginning: standard input is copied as it is."""
    with _read(path) as source:
        if source.seekable():
            yield source
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy)
            copy.seek(0)
            yield copy


@contextmanager
def _write(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdout.buffer
    else:
        with new_file(path) as sink:
            yield sink
