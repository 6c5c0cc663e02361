"""Files that appear whole or not at all, readable by their owner only."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file of mode 0600 that takes its name when the block ends well, and vanishes if it does not.

    Raises FileExistsError where `path` exists then: nothing is ever replaced.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a rename, this never replaces a file
    finally:
        temporary.unlink()


def replace_file(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in place of an older one, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with new_file(temporary) as file:
        file.write(content)
    temporary.replace(path)
