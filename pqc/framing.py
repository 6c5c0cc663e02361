"""Whole messages over a TLS session, without a socket: a length of 8 bytes, big endian, then the content."""

import struct
from collections.abc import Iterable, Iterator

from pqc.checks import Buffer
from pqc.errors import ChannelClosed, ChannelCut, ChannelError
from pqc.tls import RECORD_BYTES, Session

LENGTH = struct.Struct(">Q")
PIECE_BYTES = 1 << 16  # encrypted at once: small enough for the allocator to give the same memory again


def frame(data: Buffer) -> Iterable[tuple[Buffer, ...]]:
    """Cut a message into what is encrypted at once; a message that fits goes into one record."""
    size = len(data)
    if size <= RECORD_BYTES - LENGTH.size:
        return ((LENGTH.pack(size) + data,),)
    return _pieces(data, size)


def _pieces(data: Buffer, size: int) -> Iterator[tuple[Buffer, ...]]:
    view = memoryview(data)
    yield LENGTH.pack(size), view[:PIECE_BYTES]
    for start in range(PIECE_BYTES, size, PIECE_BYTES):
        yield (view[start : start + PIECE_BYTES],)


class Inbox:
    """Takes messages out of a session. It may stop anywhere and go on when more was fed."""

    __slots__ = ("_got", "_length", "_max_message_bytes", "_pieces", "_plain", "_session")

    def __init__(self, session: Session, max_message_bytes: int) -> None:
        self._session = session
        self._max_message_bytes = max_message_bytes
        self._plain = b""  # decrypted and not asked for yet: at most one record and seven bytes
        self._length: int | None = None  # of the message that is arriving
        self._got = 0  # how much of it is in `_pieces`, or else in the caller's buffer
        self._pieces: list[bytes] = []

    def message(self) -> bytes | None:
        """Return the next message, None when more must be fed.

        Raises ChannelClosed, ChannelCut, or ChannelError for a length over the bound.
        """
        length = self._next_length()
        if length is None:
            return None
        if len(self._plain) == length and not self._got:  # it came whole and alone, as small ones do
            whole, self._plain, self._length = self._plain, b"", None
            return whole
        while self._got < length:
            piece = self._read(length - self._got)
            if not piece:
                return None
            self._pieces.append(piece)
            self._got += len(piece)
        whole = b"".join(self._pieces)
        self._done()
        return whole

    def message_into(self, target: memoryview) -> int | None:
        """Put the next message into `target` and return its length, None when more must be fed.

        Before stopping without the whole message, call `keep`. Raises ValueError for a short target.
        """
        length = self._next_length()
        if length is None:
            return None
        if length > len(target):
            raise ValueError(f"buffer: the next message has {length} bytes, got room for {len(target)}")
        if self._pieces:
            target[: self._got] = b"".join(self._pieces)
            self._pieces = []
        while self._got < length:
            size = self._read_into(target[self._got : length])
            if not size:
                return None
            self._got += size
        self._done()
        return length

    def keep(self, target: memoryview) -> None:
        """Save what is in `target` of an unfinished message."""
        if self._got and not self._pieces:
            self._pieces = [bytes(target[: self._got])]

    def _done(self) -> None:
        self._length, self._got, self._pieces = None, 0, []

    def _next_length(self) -> int | None:
        if self._length is None:
            while len(self._plain) < LENGTH.size:
                if self._session.hungry:
                    return None
                piece = self._record(RECORD_BYTES, inside=bool(self._plain))
                if not piece:
                    return None
                self._plain += piece
            (length,) = LENGTH.unpack_from(self._plain)
            if length > self._max_message_bytes:
                raise ChannelError(
                    f"the peer announced a message of {length} bytes, "
                    f"expected at most {self._max_message_bytes}"
                )
            self._plain = self._plain[LENGTH.size :]
            self._length = length
        return self._length

    def _read(self, most: int) -> bytes:
        if not self._plain:
            return self._record(min(most, RECORD_BYTES), inside=True)
        piece, self._plain = self._plain[:most], self._plain[most:]
        return piece

    def _read_into(self, target: memoryview) -> int:
        if self._plain:
            piece = self._read(len(target))
            target[: len(piece)] = piece
            return len(piece)
        try:
            return self._session.read_into(target)
        except ChannelClosed as error:
            raise _inside(error) from None

    def _record(self, most: int, *, inside: bool) -> bytes:
        try:
            return self._session.read(most)
        except ChannelClosed as error:
            raise (_inside(error) if inside else error) from None


def _inside(error: ChannelClosed) -> ChannelCut:
    """An end inside a message is not a clean end, even if the peer meant it."""
    return ChannelCut(f"{error} in the middle of a message")
