"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from pqc import certificate
from pqc.identity import Identity
from pqc.public import PublicIdentity

Secret = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Read the passphrase from a file instead of asking.")
]
Trust = Annotated[Path, typer.Option("--trust", "-t", help="The trust file.")]
IdentityFile = Annotated[Path, typer.Option("--identity", "-i", help="The identity file that signs.")]


def passphrase(path: Path | None, *, new: bool = False) -> str:
    """Return a passphrase from a file's first line or from the terminal."""
    if path is not None:
        return path.read_text().split("\n", 1)[0]
    return str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))


def load_identity(path: Path, secret: Path | None) -> Identity:
    """Open an identity file."""
    return Identity.load(path, passphrase=passphrase(secret))


def load_public(path: Path) -> PublicIdentity:
    """Read a certificate file. Raises ValueError for anything else."""
    return read_public(path.read_bytes())


def read_public(pem: bytes) -> PublicIdentity:
    """Read a certificate in PEM. Raises ValueError for anything else."""
    return certificate.read(x509.load_pem_x509_certificate(pem))
