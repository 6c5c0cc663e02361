"""Service: a model behind a post-quantum channel, for many clients, each with keys of its own.

    with Service(model, identity, trust, port=7000) as service:   # he.remote.connect at the other end
        service.wait()

A client is told the plan, sends its evaluation keys, then requests, and gets the answers in the order in
which they are done. Requests of all clients are computed by a fixed number of threads. Whatever a client
sends, it gets an error at most, and the others notice nothing. What a client may cost: the memory of its
keys, of two requests and of a piece of a message; a bounded number of clients is served at a time.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import pqc
from he import messages
from he.ckks import frame
from he.ckks.frame import Bytes
from he.compiled import Model
from he.engines.choose import choose
from he.engines.engine import Engine
from he.link import PIECE_BYTES, REQUESTS_AT_ONCE, Incoming, Kind, Link
from he.server import Server

log = logging.getLogger(__name__)

LONGEST_ERROR = 1000  # letters that a client is told


class Service:
    """Listens from its construction on; `address` is where. Close it, or use it as a context manager."""

    def __init__(
        self,
        model: Model,
        identity: pqc.Identity,
        trust: pqc.TrustStore,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        engine: str | Engine | None = None,
        threads: int = 2,
        most_clients: int = 16,
        most_samples: int | None = None,
        idle_timeout_s: float = 600.0,
    ) -> None:
        """Clients are the pinned peers of `trust`. engine: as for he.Client; theirs must be the same.

        threads: requests computed at a time. most_clients: served at a time, later ones are turned away.
        most_samples: of one request, by default a full ciphertext's, at least 4096. idle_timeout_s: after
        which a silent client is dropped.
        """
        self._model, self._engine, self._idle_timeout_s = model, choose(engine), idle_timeout_s
        self._largest_request = _request_bytes(model, self._engine, most_samples)
        self._places = threading.BoundedSemaphore(most_clients)
        self._links: set[Link] = set()
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="he-service")
        self._listener = pqc.Listener(identity, trust, host, port, max_message_bytes=PIECE_BYTES)
        self.address = self._listener.address
        self._acceptor = threading.Thread(target=self._accept, name="he-service-accept", daemon=True)
        self._acceptor.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until it is closed, at most so long; whether it is."""
        return self._closed.wait(timeout_s)

    def close(self) -> None:
        """Stop listening and end every connection; requests in work are finished and not answered."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._listener.close()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()
        self._acceptor.join()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                link = Link(self._listener.accept())
            except pqc.ChannelError:  # closed; whoever is refused does not end `accept`
                return
            threading.Thread(target=self._attend, args=(link,), name="he-service-client", daemon=True).start()

    def _attend(self, link: Link) -> None:
        """One client from its first message to its last."""
        with self._lock:
            self._links.add(link)
        try:
            if not self._places.acquire(blocking=False):
                link.send(Kind.ERROR, 0, b"too many clients: try again later")
                return
            try:
                _Client(link, self._model, self._engine, self._pool, self._largest_request).serve(
                    self._idle_timeout_s
                )
            finally:
                self._places.release()
        except (OSError, ValueError) as error:  # gone, silent, or not speaking the protocol
            log.info("%s: %s", link.peer, error)
        except Exception:
            log.exception("%s: the connection is given up", link.peer)
        finally:
            with self._lock:
                self._links.discard(link)
            link.close()


class _Client:
    """What the service knows of one client while it is connected."""

    def __init__(
        self, link: Link, model: Model, engine: Engine, pool: ThreadPoolExecutor, largest_request: int
    ) -> None:
        self._link, self._model, self._engine, self._pool = link, model, engine, pool
        self._largest_request = largest_request
        largest_keys = engine.largest_keys_bytes(model.plan.params, model.plan.rotations)
        self._patience_bytes = 4 * max(largest_request, largest_keys)  # taken in and dropped after an error
        self._in_work = threading.BoundedSemaphore(REQUESTS_AT_ONCE)
        self._server: Server | None = None

    def serve(self, idle_timeout_s: float) -> None:
        """Until the client leaves; raises what ends the connection."""
        self._link.send(Kind.PLAN, 0, self._model.plan.to_bytes())
        while True:
            try:
                incoming = self._link.receive(idle_timeout_s)
            except pqc.ChannelClosed:
                return
            except ValueError as error:
                self._refuse(0, error)
                raise
            if not self._take(incoming):
                return

    def _take(self, incoming: Incoming) -> bool:
        """Deal with one message; False where the rest of it is too much to wait for."""
        try:
            if incoming.kind == Kind.KEYS:
                self._load_keys(incoming)
            elif incoming.kind == Kind.REQUEST:
                self._submit(incoming)
            else:
                raise ValueError(f"a message {incoming.kind.name} given, expected KEYS or REQUEST")
        except (ValueError, TypeError) as error:
            self._refuse(incoming.number, error)
            return incoming.drop(self._patience_bytes)
        return True

    def _load_keys(self, incoming: Incoming) -> None:
        self._server = None  # old keys make room first
        server = Server(self._model, incoming.read, self._engine)
        if incoming.left:
            raise ValueError(f"{incoming.left} bytes follow the evaluation keys, expected none")
        self._server = server
        self._link.send(Kind.READY, incoming.number, b"")

    def _submit(self, incoming: Incoming) -> None:
        server = self._server
        if server is None:
            raise ValueError("a request given before evaluation keys, expected those first")
        self._in_work.acquire()  # blocks: a client that floods waits, and its requests stay on its side
        try:
            request = incoming.whole(self._largest_request)
            self._pool.submit(self._answer, server, incoming.number, request)
        except BaseException:
            self._in_work.release()
            raise

    def _answer(self, server: Server, number: int, request: Bytes) -> None:
        """In a thread of the pool; errors go to the client, and nothing gets out."""
        try:
            try:
                response = server.predict(request)
            finally:
                self._in_work.release()
            self._link.send(Kind.RESPONSE, number, response)
        except OSError as error:
            log.info("%s left before its answer: %s", self._link.peer, error)
        except (ValueError, TypeError) as error:
            self._refuse(number, error)
        except Exception:
            log.exception("a request of %s failed", self._link.peer)
            self._refuse(number, RuntimeError("the server failed on this request"))

    def _refuse(self, number: int, error: Exception) -> None:
        log.info("%s was refused: %s", self._link.peer, error)
        try:
            self._link.send(Kind.ERROR, number, str(error)[:LONGEST_ERROR].encode())
        except OSError as gone:
            log.info("%s left: %s", self._link.peer, gone)


def _request_bytes(model: Model, engine: Engine, most_samples: int | None) -> int:
    """The bytes of a request of so many samples, by the engine's bound."""
    samples = max(model.plan.samples, 4096) if most_samples is None else most_samples
    if samples < 1:
        raise ValueError(f"most_samples is {samples}, expected at least 1")
    return messages.largest_bytes(frame.Kind.REQUEST, model.plan, engine, samples)
