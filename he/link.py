"""Numbered messages over a pqc channel, in pieces: lengths are known before anything is allocated.

A message is a header (kind, number, length) and then its content in pieces of at most PIECE_BYTES, each a
message of the channel. A channel made with `max_message_bytes=PIECE_BYTES` can cost no more memory than that
beside what the reader asks for.
"""

import struct
import threading
from collections.abc import Iterable
from enum import IntEnum

from he.ckks.frame import Bytes
from he.progress import progress
from pqc.channel import Channel

PIECE_BYTES = 1 << 20
PIECE_TIMEOUT_S = 60.0
"""How long one piece may take, either way, before its peer counts as gone."""
REQUESTS_AT_ONCE = 2
"""Requests of one client that a service takes in before it has answered them."""
_HEADER = struct.Struct("<BQQ")


class Kind(IntEnum):
    """What a message is."""

    PLAN = 1
    KEYS = 2
    READY = 3
    REQUEST = 4
    RESPONSE = 5
    ERROR = 6


class Incoming:
    """A message as it comes in: read or drop all of it before receiving the next."""

    def __init__(self, channel: Channel, kind: Kind, number: int, length: int) -> None:
        self.kind, self.number, self.length, self.left = kind, number, length, length
        self._channel, self._piece, self._broken = channel, memoryview(b""), False

    def read(self, count: int) -> bytes:
        """The next bytes; ValueError if the message has fewer, or its pieces are none."""
        if count > self.left:
            raise ValueError(f"a message of {self.length} bytes given, expected {count - self.left} more")
        pieces, wanted = [], count
        while wanted:
            piece = self._some(wanted)
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def whole(self, largest: int) -> bytearray:
        """All that is left; ValueError, before it is taken in, if that is longer than `largest` bytes.

        It is there once only, and its memory is in use as far as it has arrived.
        """
        if self.left > largest:
            raise ValueError(f"a message of {self.left} bytes is announced, expected at most {largest}")
        out = bytearray(self.left)
        with memoryview(out) as view:
            while self.left:
                at = len(out) - self.left
                part = self._some(self.left)
                view[at : at + len(part)] = part
        return out

    def drop(self, most: int) -> bool:
        """Take in what is left and forget it, if it is sound and at most so many bytes; whether it was."""
        if self._broken or self.left > most:
            return False
        while self.left:
            self._some(self.left)
        return True

    def _some(self, count: int) -> memoryview:
        """Between one and `count` bytes, however they come."""
        if not self._piece:
            piece = self._channel.receive(PIECE_TIMEOUT_S)
            if not 1 <= len(piece) <= self.left:
                self._broken = True
                raise ValueError(f"a piece of {len(piece)} bytes given, expected 1 to {self.left}")
            self._piece = memoryview(piece)
        part, self._piece = self._piece[:count], self._piece[count:]
        self.left -= len(part)
        return part


class Link:
    """Both ends of it: several threads may send, one receives."""

    def __init__(self, channel: Channel) -> None:
        self._channel, self._sending = channel, threading.Lock()

    @property
    def peer(self) -> str:
        """The pinned name of the other end."""
        return self._channel.peer

    def send(self, kind: Kind, number: int, data: Bytes) -> None:
        """Send one message."""
        self.send_stream(kind, number, len(data), [data])

    def send_stream(self, kind: Kind, number: int, length: int, pieces: Iterable[Bytes]) -> None:
        """Send one message of `length` bytes whose pieces are made on the way."""
        with self._sending, progress(f"sending {kind.name.lower()}", length) as tick:
            self._channel.send(_HEADER.pack(kind, number, length), PIECE_TIMEOUT_S)
            for piece in pieces:
                view = memoryview(piece)
                for at in range(0, len(view), PIECE_BYTES):
                    part = view[at : at + PIECE_BYTES]
                    self._channel.send(part, PIECE_TIMEOUT_S)
                    tick(len(part))

    def receive(self, timeout_s: float | None = None) -> Incoming:
        """The next message; ValueError for what is none. Otherwise as `Channel.receive`."""
        header = self._channel.receive(timeout_s)
        if len(header) != _HEADER.size:
            raise ValueError(f"a header of {len(header)} bytes given, expected {_HEADER.size}")
        kind, number, length = _HEADER.unpack(header)
        if kind not in set(Kind):
            raise ValueError(f"a message of kind {kind} given, expected one of {[k.value for k in Kind]}")
        return Incoming(self._channel, Kind(kind), number, length)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
