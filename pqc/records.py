"""Sealed records in strict order over any carrier of messages: AES-256-GCM, one key for each direction.

A record is AES-GCM(kind || piece); its nonce is the IV xor its place in the stream, which is not sent. So a
record that is lost, doubled, reordered, reflected or changed does not open, and nothing after it does. The
stream has an authenticated end; a carrier that ends without it was cut.
"""

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pqc.checks import Buffer, Secret, as_bytes, flat
from pqc.errors import ChannelClosed, ChannelCut, ChannelError
from pqc.schedule import IV_BYTES, KEY_BYTES, expand

PIECE_BYTES = 1 << 20  # one call to AES-GCM holds Python's global lock
TAG_BYTES = 16
REKEY_RECORDS = 1 << 20
REKEY_BYTES = 1 << 36  # 64 GiB: far below the 2^24.5 full records that RFC 9846 section 5.5 allows
LAST, MORE, END = b"\0", b"\1", b"\2"


class _Stream(Secret):
    """One direction: its key, how often it was used, and when to take the next one."""

    __slots__ = ("_bytes", "_cipher", "_iv", "_limits", "_place", "_secret", "ended")

    def __init__(self, secret: bytes, limits: tuple[int, int]) -> None:
        self._limits = limits
        self.ended: ChannelError | None = None
        self._take(secret)

    def _take(self, secret: bytes) -> None:
        self._secret = secret
        self._cipher = AESGCM(expand(secret, "key", b"", KEY_BYTES))
        self._iv = int.from_bytes(expand(secret, "iv", b"", IV_BYTES), "big")
        self._place = self._bytes = 0

    def _nonce(self) -> bytes:
        return (self._iv ^ self._place).to_bytes(IV_BYTES, "big")

    def _count(self, size: int) -> None:
        """Both ends count alike, so both take the next key at the same record."""
        self._place += 1
        self._bytes += size
        if self._place >= self._limits[0] or self._bytes >= self._limits[1]:
            self._take(expand(self._secret, "rekey", b""))

    def _check(self) -> None:
        if self.ended is not None:
            raise type(self.ended)(*self.ended.args)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Sealer(_Stream):
    """The sending direction."""

    __slots__ = ()

    def seal(self, message: Buffer) -> Iterator[bytes]:
        """Seal a message into records of at most 1 MiB; send them in this order, all of them."""
        self._check()
        view = flat(message)
        for start in range(0, max(1, len(view)), PIECE_BYTES):
            piece = view[start : start + PIECE_BYTES]
            yield self._record((MORE if start + PIECE_BYTES < len(view) else LAST) + piece)

    def end(self) -> bytes:
        """Return the record that ends the stream; nothing can be sealed after it."""
        self._check()
        record = self._record(END)
        self.ended = ChannelError("this end has ended the stream")
        return record

    def _record(self, content: bytes) -> bytes:
        record = self._cipher.encrypt(self._nonce(), content, None)
        self._count(len(record))
        return record


class Opener(_Stream):
    """The receiving direction."""

    __slots__ = ("_max_message_bytes", "_pieces", "_size")

    def __init__(self, secret: bytes, limits: tuple[int, int], max_message_bytes: int) -> None:
        super().__init__(secret, limits)
        self._max_message_bytes = max_message_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def open(self, record: Buffer) -> bytes | None:
        """Return the message that this record completes, None where more is to come.

        Raises ChannelClosed at the authenticated end, ChannelCut for a record that is not the next one,
        ChannelError for a message over the bound; after any of them every call raises the same.
        """
        self._check()
        try:
            return self._opened(as_bytes(record, "record"))
        except ChannelError as error:
            self.ended = error
            raise

    def _opened(self, record: bytes) -> bytes | None:
        if not 1 + TAG_BYTES <= len(record) <= 1 + PIECE_BYTES + TAG_BYTES:
            raise ChannelCut(f"record: expected 17 to {1 + PIECE_BYTES + TAG_BYTES} bytes, got {len(record)}")
        try:
            content = self._cipher.decrypt(self._nonce(), record, None)
        except InvalidTag:
            raise ChannelCut("a record is not authentic, or not the next one") from None
        self._count(len(record))
        kind, piece = content[:1], content[1:]
        if kind == END and not piece and not self._pieces:
            raise ChannelClosed("the peer ended the stream")
        if kind not in (LAST, MORE):
            raise ChannelCut("a record is of an unknown kind, or the stream ended inside a message")
        return self._add(piece, kind == LAST)

    def _add(self, piece: bytes, last: bool) -> bytes | None:
        self._size += len(piece)
        if self._size > self._max_message_bytes:
            raise ChannelError(f"message: expected at most {self._max_message_bytes} bytes, got more")
        self._pieces.append(piece)
        if not last:
            return None
        message = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return message
