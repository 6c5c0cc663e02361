"""Connect to a peer: TCP, TLS, the prefaces, all within one deadline."""

import socket
import time
from collections.abc import Iterable

from pqc import tls
from pqc.channel import MAX_MESSAGE_BYTES, Channel
from pqc.errors import ChannelCut, PeerRefused
from pqc.identity import Identity
from pqc.opening import Opening
from pqc.tls import Session
from pqc.trust import TrustStore
from pqc.wire import Deadline, Wire

TIMEOUT_S = 10.0


def connect(
    address: tuple[str, int],
    identity: Identity,
    trust: TrustStore,
    *,
    peer: str,
    timeout_s: float = TIMEOUT_S,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    retry_s: Iterable[float] = (),
) -> Channel:
    """Open a channel to the pinned peer of this name.

    Where nobody listens yet or the connection is lost, it waits as long as the next number of `retry_s`
    says and tries again, all within `timeout_s`; by default it tries once. Raises PeerRefused for a name that
    is not pinned and where one of the two ends will not have the other, TimeoutError, ChannelCut, and OSError
    where the address cannot be reached. A refusal is not tried again.
    """
    if peer not in trust:
        raise PeerRefused(f"peer: expected one of the pinned {trust.names}, got {peer!r}")
    deadline = Deadline(timeout_s)
    waits = iter(retry_s)
    made = tls.context(identity)
    while True:
        try:
            session = Session(made, trust, server=False, expected=peer)
            return _attempt(address, session, max_message_bytes, deadline)
        except (ConnectionRefusedError, ConnectionResetError, ChannelCut):
            wait_s = next(waits, None)
            if wait_s is None:
                raise
        remaining = deadline.remaining_s()
        time.sleep(wait_s if remaining is None else min(wait_s, remaining))


def _attempt(
    address: tuple[str, int], session: Session, max_message_bytes: int, deadline: Deadline
) -> Channel:
    remaining = deadline.remaining_s()
    if remaining == 0:
        raise deadline.timeout(f"connect to {address}")
    try:
        wire = Wire(socket.create_connection(address, remaining))
    except TimeoutError:
        raise deadline.timeout(f"connect to {address}") from None
    try:
        opening = Opening(session, max_message_bytes)
        _open(wire, opening, deadline)
        return Channel(wire, opening, max_message_bytes)
    except BaseException:
        wire.close()
        raise


def _open(wire: Wire, opening: Opening, deadline: Deadline) -> None:
    while not _advance(wire, opening, deadline):
        if not wire.wait_readable(deadline.remaining_s()):
            raise deadline.timeout("handshake")
        data = wire.receive()
        if data is not None and not data:
            raise ChannelCut("the peer closed the connection during the handshake")
        if data:
            opening.session.feed(data)


def _advance(wire: Wire, opening: Opening, deadline: Deadline) -> bool:
    """One step; what it made is sent even if it failed, for then it is the alert."""
    try:
        return opening.advance()
    finally:
        wire.send_all(opening.session.outgoing(), deadline)
