"""Channels for asyncio: the same connection, messages and errors as `channel`, awaited.

    channel = await aio.connect(("127.0.0.1", 4433), identity, trust, peer="hospital-b")
    async with channel:
        await channel.send(b"hello")
        answer = await channel.receive(timeout_s=10)

Connecting and accepting run in a worker thread; an open channel needs none. One task may send while another
receives. A cancelled receive loses nothing; a cancelled send is the last one.
"""

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from pqc import dial
from pqc.channel import MAX_MESSAGE_BYTES, Channel
from pqc.checks import Buffer, flat, flat_writable
from pqc.errors import ChannelCut, ChannelError, Ending
from pqc.framing import LENGTH, frame
from pqc.identity import Identity
from pqc.listener import Listener
from pqc.tls import GROUP
from pqc.trust import TrustStore
from pqc.wire import RECEIVE_BYTES

LOOK_S = 0.05  # how often a blocked sender looks whether it is the one to take in what arrives
CLOSE_S = 1.0


async def connect(
    address: tuple[str, int],
    identity: Identity,
    trust: TrustStore,
    *,
    peer: str,
    timeout_s: float = dial.TIMEOUT_S,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    retry_s: Iterable[float] = (),
) -> "AsyncChannel":
    """Like `pqc.connect`."""
    made = await asyncio.to_thread(
        dial.connect,
        address,
        identity,
        trust,
        peer=peer,
        timeout_s=timeout_s,
        max_message_bytes=max_message_bytes,
        retry_s=retry_s,
    )
    return AsyncChannel(made)


async def accept(listener: Listener, timeout_s: float | None = None) -> "AsyncChannel":
    """Like `listener.accept`. Without a timeout only closing the listener ends it."""
    return AsyncChannel(await asyncio.to_thread(listener.accept, timeout_s))


class AsyncChannel:
    """A channel whose waits are awaited; it takes over a blocking one that nobody has used yet."""

    group = GROUP

    def __init__(self, channel: Channel) -> None:
        self.peer = channel.peer
        self.max_message_bytes = channel.max_message_bytes
        self.bytes_sent = 0
        self.bytes_received = 0
        parts = channel.detach()
        self._socket: socket.socket = parts.connected
        self._session, self._inbox = parts.session, parts.inbox
        self._peer_takes_bytes = parts.peer_takes_bytes
        self._buffer = memoryview(bytearray(RECEIVE_BYTES))
        self._sending, self._receiving = asyncio.Lock(), asyncio.Lock()
        self._ahead_bytes = 0  # taken in and not decrypted yet
        self._wire_ended = False
        self._ending = Ending()

    async def send(self, data: Buffer, timeout_s: float | None = None) -> None:
        """Send one message; raises like `Channel.send`. Stopped midway, it was the last."""
        view = flat(data)
        if len(view) > self._peer_takes_bytes:
            raise ValueError(
                f"message: {self.peer} takes at most {self._peer_takes_bytes} bytes, got {len(view)}"
            )
        async with asyncio.timeout(timeout_s), self._sending:
            self._ending.check_sending()
            try:
                for pieces in frame(view):
                    for piece in pieces:
                        self._session.write(piece)
                    await self._push(self._session.outgoing())
            except ChannelError as error:
                raise self._ending.sending(error) from None
            except BaseException:
                self._ending.sending(ChannelCut(f"an earlier send to {self.peer} stopped midway"))
                raise
            self.bytes_sent += LENGTH.size + len(view)

    async def receive(self, timeout_s: float | None = None) -> bytes:
        """Return the next message; raises like `Channel.receive`."""
        async with asyncio.timeout(timeout_s), self._receiving:
            self._ending.check_receiving()
            try:
                while (message := self._inbox.message()) is None:
                    await self._take_in()
            except ChannelError as error:
                raise self._ending.both(error) from None
            self.bytes_received += LENGTH.size + len(message)
            return message

    async def receive_into(self, buffer: bytearray | memoryview, timeout_s: float | None = None) -> int:
        """Put the next message into `buffer` and return its length; raises like `Channel.receive_into`."""
        target = flat_writable(buffer)
        async with asyncio.timeout(timeout_s), self._receiving:
            self._ending.check_receiving()
            try:
                while (length := self._inbox.message_into(target)) is None:
                    await self._take_in()
            except ChannelError as error:
                raise self._ending.both(error) from None
            finally:
                self._inbox.keep(target)
            self.bytes_received += LENGTH.size + length
            return length

    def export(self, label: str, length: int) -> bytes:
        """Return `length` bytes that only the two ends know; see `Channel.export`."""
        return self._session.export(label, length)

    async def close(self) -> None:
        """Tell the peer that nothing more comes, and give the socket back; see `Channel.close`."""
        if self._socket.fileno() < 0:
            return
        if not self._sending.locked() and self._ending.in_order:
            self._session.end()
            await self._goodbye(self._session.outgoing())
        self._ending.both(ChannelError(f"the channel with {self.peer} was closed at this end"))
        with suppress(OSError):  # it may have ended before
            self._socket.shutdown(socket.SHUT_RDWR)  # whoever waits on it returns
        async with self._sending, self._receiving:
            self._socket.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncChannel to {self.peer!r}, {self.group}>"

    async def _goodbye(self, wire: bytes) -> None:
        try:
            async with asyncio.timeout(CLOSE_S), self._sending:
                while wire := wire[self._send_now(wire) :]:
                    await self._wait(write=True)
                self._socket.shutdown(socket.SHUT_WR)
        except (OSError, TimeoutError):
            return  # the peer will see a cut, which is what it is

    async def _push(self, wire: Buffer) -> None:
        """Send, and take in meanwhile what the peer sends if no other task does."""
        while wire := memoryview(wire)[self._send_now(wire) :]:
            full = self._wire_ended or self._ahead_bytes > self.max_message_bytes
            if full or self._receiving.locked():
                await self._wait(write=True, timeout_s=LOOK_S)
            else:
                async with self._receiving:
                    await self._wait(write=True, read=True, timeout_s=LOOK_S)
                    self._receive_now()

    async def _take_in(self) -> None:
        """Wait for more bytes, when all that came before has been decrypted."""
        self._ahead_bytes = 0
        if self._wire_ended:
            raise ChannelCut(f"the connection to {self.peer} was lost without a clean end")
        await self._wait(read=True)
        self._receive_now()

    def _send_now(self, wire: Buffer) -> int:
        try:
            return self._socket.send(wire)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ChannelCut(f"connection lost while sending: {error}") from None

    def _receive_now(self) -> None:
        try:
            size = self._socket.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            raise ChannelCut(f"connection lost while receiving: {error}") from None
        if size:
            self._ahead_bytes += size
            self._session.feed(self._buffer[:size])
        else:
            self._wire_ended = True

    async def _wait(self, *, read: bool = False, write: bool = False, timeout_s: float | None = None) -> None:
        """Wait until the socket is ready; only then is it used, so that a cancelled wait loses nothing."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        if read:
            loop.add_reader(self._socket, ready.set)
        if write:
            loop.add_writer(self._socket, ready.set)
        try:
            async with asyncio.timeout(timeout_s):
                await ready.wait()
        except TimeoutError:
            if timeout_s is None:
                raise
        finally:
            if read:
                loop.remove_reader(self._socket)
            if write:
                loop.remove_writer(self._socket)
