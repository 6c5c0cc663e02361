"""Commands about keys: keygen, fingerprint, rotate, revoke, and the trust file."""

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from pqc import envelope
from pqc.cli.options import Secret, Trust, load_identity, load_public, passphrase
from pqc.files import new_file
from pqc.identity import Identity
from pqc.statement import REVOCATION_MAGIC, Revocation, Rotation
from pqc.trust import TrustStore

trust_app = typer.Typer(no_args_is_help=True, help="Read and change a trust file.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (keygen, fingerprint, rotate, revoke):
        app.command()(command)
    app.add_typer(trust_app, name="trust")


def keygen(
    name: Annotated[str, typer.Argument(help="The party's name; for --age only a comment.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The private file; it must not exist.")],
    age: Annotated[
        bool, typer.Option("--age", help="Make a key to open files with, not an identity.")
    ] = False,
    secret: Secret = None,
) -> None:
    """Make an identity (and its certificate, FILE.pem) or a key for files, under a passphrase."""
    word = passphrase(secret, new=True)
    if age:
        key = envelope.AgeKey.generate()
        text = f"# {name}\n# public key: {key.recipient}\n{key.to_text()}\n"
        sealed = envelope.seal_bytes(text.encode(), [envelope.Passphrase(word)])
        _write(output, sealed)
        typer.echo(str(key.recipient))
        return
    identity = Identity.create(name)
    identity.save(output, passphrase=word)
    _write(output.with_name(output.name + ".pem"), identity.certificate.public_bytes(Encoding.PEM))
    typer.echo(identity.fingerprint)


def fingerprint(certificate: Annotated[Path, typer.Argument(help="A certificate file (.pem).")]) -> None:
    """Show the name and fingerprint of a certificate: compare it over another way."""
    public = load_public(certificate)
    typer.echo(f"{public.name} {public.fingerprint}")


def rotate(
    identity: Annotated[Path, typer.Argument(help="The old identity file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new identity file.")],
    secret: Secret = None,
) -> None:
    """Make the next keys of an identity, and FILE.rotation, which the old keys have signed for the peers."""
    word = passphrase(secret)
    old = Identity.load(identity, passphrase=word)
    new = Identity.create(old.name)
    new.save(output, passphrase=word)
    _write(output.with_name(output.name + ".pem"), new.certificate.public_bytes(Encoding.PEM))
    _write(output.with_name(output.name + ".rotation"), Rotation.make(old, new).to_bytes())
    typer.echo(new.fingerprint)


def revoke(
    identity: Annotated[Path, typer.Argument(help="The identity file.")],
    reason: Annotated[str, typer.Argument(help="Why; at most 200 bytes.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The statement for the peers.")],
    secret: Secret = None,
) -> None:
    """Write an identity's own word that it is no longer to be trusted."""
    _write(output, Revocation.make(load_identity(identity, secret), reason).to_bytes())


@trust_app.command("add")
def trust_add(
    certificate: Annotated[Path, typer.Argument(help="A certificate file (.pem).")], trust: Trust
) -> None:
    """Pin a peer; the file is made where it does not exist."""
    store = TrustStore.load(trust) if trust.exists() else TrustStore()
    public = load_public(certificate)
    store.add(public)
    store.save(trust)
    typer.echo(f"{public.name} {public.fingerprint}")


@trust_app.command("accept")
def trust_accept(
    statement: Annotated[Path, typer.Argument(help="A rotation or a revocation.")], trust: Trust
) -> None:
    """Act on a peer's own word about its keys."""
    store, raw = TrustStore.load(trust), statement.read_bytes()
    kind: type[Revocation | Rotation] = Revocation if raw.startswith(REVOCATION_MAGIC) else Rotation
    store.accept(kind.from_bytes(raw))
    store.save(trust)


@trust_app.command("revoke")
def trust_revoke(
    peer: Annotated[str, typer.Argument(help="A pinned name or a fingerprint.")],
    reason: Annotated[str, typer.Argument(help="Why; at most 200 bytes.")],
    trust: Trust,
) -> None:
    """Never trust these keys again."""
    store = TrustStore.load(trust)
    store.revoke(store.fingerprint(peer) if peer in store else peer, reason)
    store.save(trust)


@trust_app.command("list")
def trust_list(trust: Trust) -> None:
    """Show who is pinned and what is revoked."""
    store = TrustStore.load(trust)
    for name in store.names:
        typer.echo(f"{name} {store.fingerprint(name)}")
    for each, reason in store.revoked.items():
        typer.echo(f"revoked {each}: {reason}")


def _write(path: Path, content: bytes) -> None:
    with new_file(path) as sink:
        sink.write(content)
