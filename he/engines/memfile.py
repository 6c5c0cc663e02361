"""Bytes in and out of SEAL objects, which can only save to and load from a path.

The path is that of an anonymous file in memory (where the system has none, of an unlinked temporary file),
readable by this process alone and gone when closed. Only ciphertexts and public keys pass through here; the
secret key is never saved.
"""

import os
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO


def save(write: Callable[[str], Any]) -> bytes:
    """The bytes that `write` puts into the path it is given."""
    with _anonymous() as file:
        write(_path(file))
        file.seek(0)
        return file.read()


def load(data: bytes | memoryview, read: Callable[[str], Any]) -> None:
    """Let `read` read `data` from the path it is given."""
    with _anonymous() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        read(_path(file))


def _anonymous() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("latticework", os.MFD_CLOEXEC), "w+b")
    return tempfile.TemporaryFile()


def _path(file: BinaryIO) -> str:
    return f"/dev/fd/{file.fileno()}"
