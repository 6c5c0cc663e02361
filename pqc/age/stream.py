"""The body of an age file: 64 KiB chunks, each sealed with ChaCha20-Poly1305, the last one marked as last.

A chunk is released only when it is authentic, in its place, and, if it ends the file, marked so. Memory stays
at a few chunks whatever the size.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pqc.age.errors import HeaderError, PayloadError
from pqc.age.header import hkdf

CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16
NONCE_BYTES = 16

Write = Callable[[bytes | bytearray | memoryview], object]


def encrypt(file_key: bytes, source: BinaryIO, write: Write) -> None:
    """Seal all of `source` under a fresh nonce."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    write(nonce)
    cipher = _cipher(file_key, nonce)
    sealed = memoryview(bytearray(CHUNK_BYTES + TAG_BYTES))
    for place, chunk, last in _chunks(source, CHUNK_BYTES):
        size = cipher.encrypt_into(_place(place, last), chunk, None, sealed[: len(chunk) + TAG_BYTES])
        write(sealed[:size])


def decrypt(file_key: bytes, source: BinaryIO, write: Write) -> None:
    """Open all of `source`, writing chunk after chunk.

    Raises HeaderError without a nonce, PayloadError at the first chunk that is not authentic and where the
    file ends too early or goes on behind its last chunk.
    """
    nonce = _read_full(source, NONCE_BYTES)
    if len(nonce) < NONCE_BYTES:
        raise HeaderError(f"body: expected a nonce of {NONCE_BYTES} bytes, got {len(nonce)}")
    cipher = _cipher(file_key, bytes(nonce))
    plain = memoryview(bytearray(CHUNK_BYTES))
    for place, chunk, last in _chunks(source, CHUNK_BYTES + TAG_BYTES):
        size = len(chunk) - TAG_BYTES
        if size < 0 or (size == 0 and place > 0):
            raise PayloadError(
                f"chunk {place}: expected content and a tag of {TAG_BYTES} bytes, got {len(chunk)}"
            )
        if _opened(cipher, place, last, chunk, plain):
            write(plain[:size])
        elif size == CHUNK_BYTES and _opened(cipher, place, not last, chunk, plain):
            write(plain[:size])  # it is authentic and in its place: only the end of the file is wrong
            raise PayloadError(f"the file was {'cut' if last else 'extended'} behind chunk {place}")
        else:
            raise PayloadError(f"chunk {place} is not authentic")


def _opened(cipher: ChaCha20Poly1305, place: int, last: bool, chunk: bytes, plain: memoryview) -> bool:
    try:
        cipher.decrypt_into(_place(place, last), chunk, None, plain[: len(chunk) - TAG_BYTES])
    except InvalidTag:
        return False
    return True


def _cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))


def _place(place: int, last: bool) -> bytes:
    return place.to_bytes(11, "big") + bytes([last])


def _chunks(source: BinaryIO, size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Number the pieces of `source` and mark the last; one piece is read ahead to know it."""
    place, piece = 0, _read_full(source, size)
    while True:
        following = _read_full(source, size) if len(piece) == size else b""
        yield place, piece, not following
        if not following:
            return
        place, piece = place + 1, following


def _read_full(source: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end: a pipe may give them in parts."""
    piece = source.read(size)
    while len(piece) < size and (more := source.read(size - len(piece))):
        piece += more
    return piece
