"""A TCP socket with a deadline on every wait."""

import select
import socket
import time
from contextlib import suppress

from pqc.checks import Buffer
from pqc.errors import ChannelCut

RECEIVE_BYTES = 1 << 18
KEEPALIVE_IDLE_S = 4
KEEPALIVE_INTERVAL_S = 2
KEEPALIVE_PROBES = 3  # a vanished machine is noticed after 4 + 3 * 2 = 10 s


class Deadline:
    """A moment after which waiting is over; None means never."""

    __slots__ = ("_at", "_timeout_s")

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._at = None if timeout_s is None else time.monotonic() + timeout_s

    def remaining_s(self) -> float | None:
        """Seconds left, at least 0; None without a limit."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def timeout(self, waiting_for: str) -> TimeoutError:
        """The error to raise when the time is over."""
        return TimeoutError(f"{waiting_for}: nothing within {self._timeout_s} s")


NEVER = Deadline(None)


class Wire:
    """The socket of one connection. One thread may receive while another sends."""

    __slots__ = ("_buffer", "_either", "_readable", "_socket", "_writable")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(connected)
        self._buffer = memoryview(b"")
        self._readable = select.poll()
        self._readable.register(connected, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(connected, select.POLLOUT)
        self._either = select.poll()
        self._either.register(connected, select.POLLIN | select.POLLOUT)

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._socket.fileno()

    @property
    def closed(self) -> bool:
        """Whether the descriptor was given back."""
        return self._socket.fileno() < 0

    def wait_readable(self, timeout_s: float | None) -> bool:
        """True when `receive` will return at once."""
        return bool(self._readable.poll(None if timeout_s is None else timeout_s * 1000))

    def wait_writable(self, timeout_s: float | None) -> bool:
        """True when `send` will take something."""
        return bool(self._writable.poll(_milliseconds(timeout_s)))

    def wait_either(self, timeout_s: float | None) -> bool:
        """True when `receive` has something."""
        return any(event & ~select.POLLOUT for _, event in self._either.poll(_milliseconds(timeout_s)))

    def receive(self) -> memoryview | None:
        """Return what has arrived, nothing (b"") at the end of the connection, None if nothing has come.

        The next call overwrites what this one returned.
        """
        if not self._buffer:
            self._buffer = memoryview(bytearray(RECEIVE_BYTES))
        try:
            return self._buffer[: self._socket.recv_into(self._buffer)]
        except BlockingIOError:
            return None
        except OSError as error:
            raise ChannelCut(f"connection lost while receiving: {error}") from None

    def send(self, data: Buffer) -> int:
        """Hand over what the system takes now and return how much that was."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ChannelCut(f"connection lost while sending: {error}") from None

    def send_all(self, data: bytes, deadline: Deadline) -> None:
        """Send all of `data`. Raises TimeoutError or ChannelCut."""
        view = memoryview(data)
        while view:
            sent = self.send(view)
            view = view[sent:]
            if not sent and not self.wait_writable(deadline.remaining_s()):
                raise deadline.timeout("send")

    def wake(self) -> None:
        """End the connection in both directions: whoever waits on it returns."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        """Say that nothing more will be sent; what was sent still arrives."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def detach(self) -> socket.socket:
        """Give the socket away, in non-blocking mode; this object then counts as closed."""
        given = socket.socket(fileno=self._socket.detach())
        given.setblocking(False)
        return given

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()


def _milliseconds(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else timeout_s * 1000


def _keep_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):  # macOS names the first one otherwise
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
