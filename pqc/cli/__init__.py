"""The command line: one file for keys, one for files, one for channels."""

import sys

import typer
from cryptography.exceptions import InvalidSignature

from pqc.cli import files, keys, network

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
keys.register(app)
files.register(app)
network.register(app)


def main() -> None:
    """Run it; what the user can put right is told in one line, with exit status 1."""
    try:
        app(prog_name="python -m pqc")
    except (ValueError, OSError, InvalidSignature) as error:
        sys.exit(f"error: {error}")
