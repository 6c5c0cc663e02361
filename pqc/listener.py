"""Wait for peers: many at once, with a bound on what anybody can cost before being known.

Everything happens inside `accept`, in the caller's thread: it goes on with all handshakes at once and
returns the first that is done. Whoever is slow, silent or unknown holds up nobody.
"""

import logging
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pqc import tls
from pqc.channel import MAX_MESSAGE_BYTES, Channel
from pqc.errors import ChannelCut, ChannelError, PeerRefused
from pqc.identity import Identity
from pqc.opening import Opening
from pqc.tls import Session
from pqc.trust import TrustStore
from pqc.wire import Deadline, Wire

log = logging.getLogger(__name__)


class _Pending:
    """A connection that has not proved an identity yet."""

    def __init__(self, wire: Wire, host: str, opening: Opening, timeout_s: float) -> None:
        self.wire, self.host, self.opening = wire, host, opening
        self.deadline = Deadline(timeout_s)
        self.taken_bytes = 0


class Listener:
    """A listening socket that makes channels with pinned peers.

    `address` is where it listens. Refused connections are closed, logged, and given to `on_refused` if one
    is set (the remote host, and the error); `accept` just goes on.
    """

    def __init__(
        self,
        identity: Identity,
        trust: TrustStore,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        max_pending: int = 128,
        max_pending_per_host: int = 32,
        handshake_timeout_s: float = 10.0,
        max_handshake_bytes: int = 64 * 1024,
        on_refused: Callable[[str, Exception], None] | None = None,
    ) -> None:
        self._context, self._trust = tls.context(identity), trust
        self._max_message_bytes = max_message_bytes
        self._max_pending, self._max_pending_per_host = max_pending, max_pending_per_host
        self._handshake_timeout_s, self._max_handshake_bytes = handshake_timeout_s, max_handshake_bytes
        self._on_refused = on_refused
        self._pending: dict[int, _Pending] = {}
        self._per_host: Counter[str] = Counter()
        self._accepting = threading.Lock()
        self._closed = False
        self._socket = socket.create_server((host, port), backlog=max_pending)
        self._socket.setblocking(False)
        self._waker, self._wakened = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]

    def accept(self, timeout_s: float | None = None) -> Channel:
        """Return a channel with the next pinned peer whose handshake is done.

        Raises TimeoutError, or ChannelError where the listener is closed.
        """
        deadline = Deadline(timeout_s)
        with self._accepting:
            while True:
                channel = self._round(deadline)
                if channel is not None:
                    return channel
                if deadline.remaining_s() == 0:
                    raise deadline.timeout("accept")

    def close(self) -> None:
        """Stop listening and drop every connection that is not a channel yet; channels live on."""
        if self._closed:
            return
        self._closed = True
        self._waker.send(b"\0")
        with self._accepting:
            for pending in list(self._pending.values()):
                self._forget(pending)
                pending.wire.close()
            for each in (self._selector, self._socket, self._waker, self._wakened):
                each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _round(self, deadline: Deadline) -> Channel | None:
        """Serve whoever has said something; then drop whoever has said too little for too long."""
        for key, _ in self._ready(deadline):
            if key.fileobj is self._socket:
                self._welcome()
            elif key.data is not None:
                channel = self._proceed(key.data)
                if channel is not None:
                    return channel
        for pending in list(self._pending.values()):
            if pending.deadline.remaining_s() == 0:
                self._refuse(pending, pending.deadline.timeout("handshake"))
        return None

    def _ready(self, deadline: Deadline) -> list[tuple[selectors.SelectorKey, int]]:
        if self._closed:
            raise ChannelError("the listener was closed")
        limits = [deadline.remaining_s(), *(each.deadline.remaining_s() for each in self._pending.values())]
        ready = self._selector.select(min((limit for limit in limits if limit is not None), default=None))
        if self._closed:
            raise ChannelError("the listener was closed")
        return ready

    def _welcome(self) -> None:
        try:
            connected, remote = self._socket.accept()
        except OSError as error:  # the peer has gone again, or there is no descriptor left
            log.warning("accepting a connection failed: %s", error)
            return
        host = str(remote[0])
        if len(self._pending) >= self._max_pending or self._per_host[host] >= self._max_pending_per_host:
            connected.close()
            self._tell(
                host, ChannelError(f"too many unfinished handshakes ({self._per_host[host]} from {host})")
            )
            return
        try:
            wire = Wire(connected)
        except OSError as error:  # the peer has gone again
            connected.close()
            self._tell(host, error)
            return
        opening = Opening(Session(self._context, self._trust, server=True), self._max_message_bytes)
        pending = _Pending(wire, host, opening, self._handshake_timeout_s)
        self._pending[pending.wire.fileno()] = pending
        self._per_host[host] += 1
        self._selector.register(pending.wire, selectors.EVENT_READ, pending)

    def _proceed(self, pending: _Pending) -> Channel | None:
        try:
            if not self._advance(pending):
                return None
        except Exception as error:  # whatever a stranger's bytes bring about, the listener goes on
            self._refuse(pending, error)
            return None
        self._forget(pending)
        return Channel(pending.wire, pending.opening, self._max_message_bytes)

    def _advance(self, pending: _Pending) -> bool:
        data = pending.wire.receive()
        if data is None:
            return False
        if not data:
            raise ChannelCut("closed the connection during the handshake")
        pending.taken_bytes += len(data)
        if pending.taken_bytes > self._max_handshake_bytes:
            raise PeerRefused(
                f"handshake: expected at most {self._max_handshake_bytes} bytes, got {pending.taken_bytes}"
            )
        pending.opening.session.feed(data)
        try:
            return pending.opening.advance()
        finally:
            answer = pending.opening.session.outgoing()
            if pending.wire.send(memoryview(answer)) < len(answer):
                raise ChannelCut("does not take the answer to its handshake")

    def _refuse(self, pending: _Pending, error: Exception) -> None:
        self._forget(pending)
        pending.wire.close()
        self._tell(pending.host, error)

    def _forget(self, pending: _Pending) -> None:
        self._selector.unregister(pending.wire)
        del self._pending[pending.wire.fileno()]
        self._per_host[pending.host] -= 1
        if not self._per_host[pending.host]:
            del self._per_host[pending.host]

    def _tell(self, host: str, error: Exception) -> None:
        log.warning("refused a connection from %s: %s", host, error)
        if self._on_refused is not None:
            self._on_refused(host, error)
