"""Frames piece by piece, for what is too large to lie in memory twice: evaluation keys above all.

The bytes are those of `he.ckks.frame`: the length stands in front and is bounded before anything is taken in,
the checksum behind is verified before anything is used.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, TypeAlias

from he.ckks.frame import HEADER, MAGIC, SUM_BYTES, VERSION, Kind, engine_name, expect, kind_name

Read: TypeAlias = Callable[[int], bytes]
"""Gives exactly as many bytes as it is asked for, or raises."""


def sealed(kind: Kind, engine: str, owner: bytes, length: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The frame around a body of `length` bytes, piece by piece; ValueError if the pieces are not as long."""
    head = HEADER.pack(MAGIC, VERSION, kind, engine.encode().ljust(8, b"\0"), owner, length)
    digest, given = hashlib.sha256(head), 0
    yield head
    for piece in pieces:
        digest.update(piece)
        given += len(piece)
        yield piece
    expect("length of the pieces", given, length)
    yield digest.digest()[:SUM_BYTES]


def read_exactly(file: BinaryIO) -> Read:
    """A Read of a file or a pipe; ValueError where it ends too early."""

    def read(count: int) -> bytes:
        pieces, left = [], count
        while left and (piece := file.read(left)):
            pieces.append(piece)
            left -= len(piece)
        if left:
            raise ValueError(f"{count - left} bytes given, expected {count}: it was cut short")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    return read


class Reader:
    """A frame as it comes in: `kind`, `engine`, `owner` and `length` of its header, then the body by `read`.

    Whoever reads calls `expect` first, and `finish` before using what was read.
    """

    def __init__(self, read: Read) -> None:
        """Take in the header; ValueError if it is none."""
        head = read(HEADER.size)
        magic, version, self._kind, engine, self.owner, self.length = HEADER.unpack(head)
        expect("magic", magic, MAGIC)
        expect("version", version, VERSION)
        self.engine = engine_name(engine)
        self.left, self._source, self._digest = self.length, read, hashlib.sha256(head)
        self._finished = False

    def expect(self, kind: Kind, engine: str, owner: bytes, largest: int) -> None:
        """ValueError unless the header says this, and at most `largest` bytes of body."""
        expect("kind", kind_name(self._kind), kind.name)
        expect("engine", self.engine, engine)
        expect("id of plan or parameters", self.owner.hex(), owner.hex())
        if self.length > largest:
            raise ValueError(f"a body of {self.length} bytes is announced, expected at most {largest}")

    def read(self, count: int) -> bytes:
        """The next bytes of the body; ValueError if there are fewer."""
        if count > self.left:
            raise ValueError(f"the body has {self.length} bytes, expected {count - self.left} more")
        data = self._source(count)
        self._digest.update(data)
        self.left -= count
        return data

    def finish(self) -> None:
        """ValueError unless all of the body was read and the checksum is right. Again: nothing."""
        if self._finished:
            return
        expect("length of the body", self.length, self.length - self.left)
        expect("checksum", self._source(SUM_BYTES).hex(), self._digest.digest()[:SUM_BYTES].hex())
        self._finished = True
