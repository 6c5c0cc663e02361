"""A channel: whole messages between two pinned identities over TLS 1.3 with X25519MLKEM768.

    with pqc.connect(("127.0.0.1", 4433), identity, trust, peer="hospital-b") as channel:
        channel.send(b"hello")
        answer = channel.receive(timeout_s=10)

On the wire a message is its length (8 bytes, big endian) and its content, inside TLS. One thread may send
while another receives. Two peers may also both send first: a send that has to wait takes in what arrives
meanwhile, up to one largest message.
"""

import socket
import threading
from types import TracebackType
from typing import NamedTuple, Self

from pqc.checks import Buffer, flat, flat_writable
from pqc.errors import ChannelCut, ChannelError, Ending
from pqc.framing import LENGTH, Inbox, frame
from pqc.opening import Opening
from pqc.tls import GROUP, Session
from pqc.wire import NEVER, Deadline, Wire

MAX_MESSAGE_BYTES = 1 << 30
LOOK_S = 0.05  # how often a blocked sender looks whether it is the one to take in what arrives
CLOSE_S = 1.0  # how long closing may wait for the system to take the last 24 bytes


class Parts(NamedTuple):
    """What a channel is made of, for another carrier of the same connection."""

    connected: socket.socket
    session: Session
    inbox: Inbox
    peer_takes_bytes: int


class Channel:
    """One connection to one peer; made by `connect` and `Listener.accept`.

    `peer` is the peer's pinned name, `group` the key exchange. `bytes_sent` and `bytes_received` count the
    content and the 8-byte length of every whole message, not TLS's own share (22 bytes in 16 KiB).
    """

    group = GROUP

    def __init__(self, wire: Wire, opening: Opening, max_message_bytes: int) -> None:
        self.peer = opening.session.peer
        self.max_message_bytes = max_message_bytes
        self.bytes_sent = 0
        self.bytes_received = 0
        self._wire, self._session = wire, opening.session
        self._inbox = Inbox(opening.session, max_message_bytes)
        self._peer_takes_bytes = opening.peer_takes_bytes
        self._tls = threading.Lock()  # the session: held while calculating, never while waiting
        self._sending = threading.Lock()  # the order of what goes out
        self._receiving = threading.Lock()  # the order of what comes in
        self._ahead_bytes = 0  # taken in and not decrypted yet
        self._wire_ended = False
        self._ending = Ending()

    def send(self, data: Buffer, timeout_s: float | None = None) -> None:
        """Send one message (bytes or any contiguous buffer; a large one is never copied as a whole).

        Raises ValueError where it is longer than the peer takes, ChannelError where the channel has ended,
        TimeoutError when the peer does not take it in time; a send that stopped midway was the last one.
        """
        if type(data) is not bytes:
            data = flat(data)
        size = len(data)
        if size > self._peer_takes_bytes:
            raise ValueError(f"message: {self.peer} takes at most {self._peer_takes_bytes} bytes, got {size}")
        deadline = NEVER if timeout_s is None else Deadline(timeout_s)
        if not self._sending.acquire(blocking=False):
            self._wait_for(self._sending, deadline)
        try:
            self._ending.check_sending()
            for pieces in frame(data):
                self._push(pieces, deadline)
            self.bytes_sent += LENGTH.size + size
        except ChannelError as error:
            raise self._ending.sending(error) from None
        except BaseException:  # out of time, or interrupted: what is on the wire is half a message
            self._ending.sending(ChannelCut(f"an earlier send to {self.peer} stopped midway"))
            raise
        finally:
            self._sending.release()

    def receive(self, timeout_s: float | None = None) -> bytes:
        """Return the next message.

        Raises TimeoutError (nothing is lost: call again), ChannelClosed after the peer's last message,
        ChannelCut where the connection was lost or damaged, ChannelError for an announced length over
        `max_message_bytes`.
        """
        deadline = NEVER if timeout_s is None else Deadline(timeout_s)
        if not self._receiving.acquire(blocking=False):
            self._wait_for(self._receiving, deadline)
        try:
            self._ending.check_receiving()
            while True:
                with self._tls:
                    message = self._inbox.message()
                if message is not None:
                    break
                self._wait_to_receive(deadline)
            self.bytes_received += LENGTH.size + len(message)
            return message
        except ChannelError as error:
            raise self._ending.both(error) from None
        finally:
            self._receiving.release()

    def receive_into(self, buffer: bytearray | memoryview, timeout_s: float | None = None) -> int:
        """Put the next message into `buffer` (writable, contiguous) and return its length.

        Raises TypeError for a read-only buffer and ValueError for one that is too short, and keeps the
        message; otherwise like `receive`.
        """
        target = flat_writable(buffer)
        deadline = NEVER if timeout_s is None else Deadline(timeout_s)
        if not self._receiving.acquire(blocking=False):
            self._wait_for(self._receiving, deadline)
        try:
            self._ending.check_receiving()
            while True:
                with self._tls:
                    length = self._inbox.message_into(target)
                if length is not None:
                    break
                self._wait_to_receive(deadline)
            self.bytes_received += LENGTH.size + length
            return length
        except ChannelError as error:
            raise self._ending.both(error) from None
        finally:
            self._inbox.keep(target)
            self._receiving.release()

    def export(self, label: str, length: int) -> bytes:
        """Return `length` bytes that only the two ends of this channel know (RFC 9846 section 7.5).

        Both get the same for the same label: with them another protocol binds itself to this channel.
        """
        with self._tls:
            return self._session.export(label, length)

    def close(self) -> None:
        """Tell the peer that nothing more comes, and give the socket back. What was sent still arrives.

        What the peer is still sending is lost, and it is told so by ChannelCut.
        """
        if self._wire.closed:
            return
        if self._sending.acquire(blocking=False):  # else a send stands midway and there is no orderly end
            try:
                self._say_goodbye()
            finally:
                self._sending.release()
        self._ending.both(ChannelError(f"the channel with {self.peer} was closed at this end"))
        self._wire.wake()
        with self._sending, self._receiving:
            self._wire.close()

    def detach(self) -> "Parts":
        """Give the connection away; this object is then of no more use. Raises ChannelError once ended."""
        self._wait_for(self._sending, NEVER)
        try:
            self._ending.check_sending()
            self._ending.both(ChannelError(f"the channel with {self.peer} was given away"))
            return Parts(self._wire.detach(), self._session, self._inbox, self._peer_takes_bytes)
        finally:
            self._sending.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Channel to {self.peer!r}, {self.group}>"

    def _wait_for(self, direction: threading.Lock, deadline: Deadline) -> None:
        remaining = deadline.remaining_s()
        if not direction.acquire(timeout=-1 if remaining is None else remaining):
            raise deadline.timeout(f"waiting for another thread that uses the channel with {self.peer}")

    def _push(self, pieces: tuple[Buffer, ...], deadline: Deadline) -> None:
        with self._tls:
            for piece in pieces:
                self._session.write(piece)
            wire: Buffer = self._session.outgoing()
        while (sent := self._wire.send(wire)) < len(wire):
            wire = memoryview(wire)[sent:]
            self._wait_to_send(deadline)

    def _wait_to_send(self, deadline: Deadline) -> None:
        """Wait until the peer takes more; take in meanwhile what it sends, if no other thread does."""
        remaining = deadline.remaining_s()
        if remaining == 0:
            raise deadline.timeout(f"send to {self.peer}")
        look = LOOK_S if remaining is None else min(LOOK_S, remaining)
        full = self._wire_ended or self._ahead_bytes > self.max_message_bytes
        if full or not self._receiving.acquire(blocking=False):
            self._wire.wait_writable(look)
            return
        try:
            if self._wire.wait_either(look):
                self._take_in()
        finally:
            self._receiving.release()

    def _wait_to_receive(self, deadline: Deadline) -> None:
        self._ahead_bytes = 0
        if self._wire_ended:
            raise ChannelCut(f"the connection to {self.peer} was lost without a clean end")
        if not self._wire.wait_readable(deadline.remaining_s()):
            raise deadline.timeout(f"receive from {self.peer}")
        self._take_in()

    def _take_in(self) -> None:
        wire = self._wire.receive()
        if wire:
            self._ahead_bytes += len(wire)
            with self._tls:
                self._session.feed(wire)
        elif wire is not None:
            self._wire_ended = True

    def _say_goodbye(self) -> None:
        if not self._ending.in_order:
            return
        with self._tls:
            self._session.end()
            goodbye = self._session.outgoing()
        try:
            self._wire.send_all(goodbye, Deadline(CLOSE_S))
        except (ChannelCut, TimeoutError):
            return  # the peer will see a cut, which is what it is
        self._wire.finish()
