"""Remote: a model that a `he.service.Service` serves, as its client sees it.

with connect(address, identity, trust, peer="server") as remote:
    print(remote.plan, remote.sizes)  # before any key is made
    client = he.Client(remote.plan)
    remote.send_keys(client)
    scores = client.decrypt(remote.predict(client.encrypt(x)))
"""

import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import pqc
from he import layouts, messages
from he.ckks import frame
from he.ckks.frame import Bytes
from he.client import Client
from he.engines.choose import choose
from he.latency.plan import LARGEST_PLAN_BYTES
from he.link import PIECE_BYTES, PIECE_TIMEOUT_S, REQUESTS_AT_ONCE, Incoming, Kind, Link
from pqc.channel import Channel

LARGEST_ERROR_BYTES = 4096


def connect(
    address: tuple[str, int],
    identity: pqc.Identity,
    trust: pqc.TrustStore,
    *,
    peer: str,
    timeout_s: float = 10.0,
    insecure: bool = False,
) -> "Remote":
    """Open a channel to the service of a pinned peer; errors as of `pqc.connect`, and of Remote."""
    channel = pqc.connect(
        address, identity, trust, peer=peer, timeout_s=timeout_s, max_message_bytes=PIECE_BYTES
    )
    try:
        return Remote(channel, insecure=insecure)
    except BaseException:
        channel.close()
        raise


@dataclass(eq=False)
class _Pending:
    """A message without an answer yet, and how long that may be."""

    largest: int
    answer: Future[Bytes] = field(default_factory=Future)


class Remote:
    """One connection to a service; several threads may use it, and many requests be under way.

    plan: as the server sent it, checked. sizes: what will travel, known before any key is made.
    """

    def __init__(self, channel: Channel, *, insecure: bool = False) -> None:
        """Over an open channel to a service; ValueError if it turns this client away or is none."""
        self._link = Link(channel)
        hello = self._link.receive(PIECE_TIMEOUT_S)
        if hello.kind == Kind.ERROR:
            raise self._refusal(hello)
        if hello.kind != Kind.PLAN:
            raise ValueError(f"a message {hello.kind.name} given, expected PLAN")
        self.plan = layouts.plan_from_bytes(bytes(hello.whole(LARGEST_PLAN_BYTES)), insecure=insecure)
        self.sizes = layouts.sizes(self.plan)
        self._lock, self._count = threading.Lock(), 0
        self._end: Exception | None = None
        self._pending: dict[int, _Pending] = {}
        self._room = threading.BoundedSemaphore(REQUESTS_AT_ONCE)
        threading.Thread(target=self._receive, name="he-remote", daemon=True).start()

    def send_keys(self, client: Client, timeout_s: float | None = None) -> None:
        """Make the client's evaluation keys and send them, one at a time; returns when the server has them.

        ValueError if it refuses them, ChannelError if it is gone, TimeoutError.
        """
        length, pieces = client.key_stream()
        self._ask(Kind.KEYS, length, pieces, 0).result(timeout_s)

    def submit(self, request: Bytes) -> "Future[Bytes]":
        """Send a request; the future gives the response or the error of `predict`.

        Waits while REQUESTS_AT_ONCE earlier ones have no answer: the service takes in no more of one client.
        """
        engine = choose(frame.engine_of(request))
        largest = messages.largest_bytes(frame.Kind.RESPONSE, self.plan, engine, messages.samples_in(request))
        self._room.acquire()
        try:
            answer = self._ask(Kind.REQUEST, len(request), [request], largest)
        except BaseException:
            self._room.release()
            raise
        answer.add_done_callback(lambda _: self._room.release())
        return answer

    def predict(self, request: Bytes, timeout_s: float | None = None) -> Bytes:
        """As `he.Server.predict`, there; ValueError if refused, ChannelError if it is gone, TimeoutError."""
        return self.submit(request).result(timeout_s)

    def close(self) -> None:
        """End the connection; what is under way fails."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, kind: Kind, length: int, pieces: Iterable[Bytes], largest: int) -> "Future[Bytes]":
        pending = _Pending(largest)
        with self._lock:
            if self._end is not None:
                raise pqc.ChannelError(f"the connection to {self._link.peer} has ended: {self._end}")
            self._count += 1
            number = self._count
            self._pending[number] = pending
        try:
            self._link.send_stream(kind, number, length, pieces)
        except OSError:
            if not pending.answer.done():  # a refusal may have come before the end
                raise
        return pending.answer

    def _receive(self) -> None:
        """In a thread of its own: answers to whoever waits, until the end."""
        try:
            while True:
                self._deliver(self._link.receive())
        except Exception as error:
            with self._lock:
                self._end = error
                left = list(self._pending.values())
                self._pending.clear()
            for pending in left:
                pending.answer.set_exception(error)

    def _deliver(self, incoming: Incoming) -> None:
        if incoming.kind == Kind.ERROR and incoming.number == 0:  # about the connection as a whole
            raise self._refusal(incoming)
        with self._lock:
            pending = self._pending.pop(incoming.number, None)
        if pending is None:
            raise ValueError(f"an answer to message {incoming.number} given, expected one of those sent")
        try:
            if incoming.kind == Kind.ERROR:
                pending.answer.set_exception(self._refusal(incoming))
            elif incoming.kind in (Kind.READY, Kind.RESPONSE):
                pending.answer.set_result(incoming.whole(pending.largest))
            else:
                raise ValueError(f"a message {incoming.kind.name} given, expected an answer")
        except Exception as error:
            pending.answer.set_exception(error)
            raise

    def _refusal(self, incoming: Incoming) -> ValueError:
        text = incoming.whole(LARGEST_ERROR_BYTES).decode(errors="replace")
        return ValueError(f"{self._link.peer} refused: {text}")
