"""What a user would write without `pqc`: bare pyOpenSSL over a socket, for measuring beside the channel.

Same protocol version, key exchange, certificates and verification as the channel; contexts are made once.
Both kinds of server run in a process of their own and answer until the client closes.
"""

import multiprocessing
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OpenSSL import SSL

import pqc
from pqc import tls
from pqc.channel import Channel

PASSPHRASE = "benchmark"
LENGTH_BYTES = 8
ECHO_BYTES = 1024  # longer messages are answered by a receipt only
RECEIPT = struct.Struct(">QQ")  # how many bytes came, and the server's processor time so far in nanoseconds
MAX_BYTES = 1 << 26
PARTIAL_WRITE = 0x01


@dataclass
class Parties:
    """Two identities that trust each other, and where the server's process finds its own."""

    client: pqc.Identity
    server: pqc.Identity
    path: Path

    @property
    def trust(self) -> pqc.TrustStore:
        """Both pinned."""
        return pqc.TrustStore([self.client.public, self.server.public])


def make_parties(folder: Path) -> Parties:
    """Make and save them."""
    parties = Parties(pqc.Identity.create("client"), pqc.Identity.create("server"), folder / "server")
    parties.server.save(parties.path, passphrase=PASSPHRASE)
    return parties


def bare_context(identity: pqc.Identity, pinned: bytes) -> SSL.Context:
    """A context as the channel's, whose callback compares the peer's raw public key."""

    def verify(_: SSL.Connection, presented: Any, __: int, depth: int, ___: int) -> bool:
        key: Any = presented.to_cryptography().public_key()
        return depth == 0 and bytes(key.public_bytes_raw()) == pinned

    context = tls.new_context(identity)
    context.set_mode(PARTIAL_WRITE)  # pyOpenSSL's default
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    return context


def bare_handshake(connected: socket.socket, context: SSL.Context, *, server: bool) -> SSL.Connection:
    """Wrap a connected socket and shake hands."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = SSL.Connection(context, connected)
    (connection.set_accept_state if server else connection.set_connect_state)()
    connection.do_handshake()
    return connection


class BareChannel:
    """Length-prefixed messages over bare TLS."""

    def __init__(self, connection: SSL.Connection) -> None:
        self._connection = connection
        self._buffer = memoryview(bytearray(MAX_BYTES))

    def send(self, message: bytes | memoryview) -> None:
        """Send a small message in one write, a large one in two."""
        header = len(message).to_bytes(LENGTH_BYTES, "big")
        if len(message) <= ECHO_BYTES:
            self._connection.sendall(header + message)
        else:
            self._connection.sendall(header)
            self._connection.sendall(message)

    def receive(self) -> memoryview:
        """Return the next message; the next call overwrites it."""
        return self._read(int.from_bytes(self._read(LENGTH_BYTES), "big"))

    def _read(self, size: int) -> memoryview:
        got = 0
        while got < size:
            got += self._connection.recv_into(self._buffer[got:size], 1 << 14)
        return self._buffer[:size]

    def close(self) -> None:
        """End in order."""
        self._connection.shutdown()
        self._connection.close()


def _answer(message: memoryview) -> memoryview | bytes:
    if len(message) <= ECHO_BYTES:
        return message
    return RECEIPT.pack(len(message), time.process_time_ns())


def _serve_channel(path: Path, client: bytes, pipe: Any) -> None:
    me = pqc.Identity.load(path, passphrase=PASSPHRASE)
    trust = pqc.TrustStore([pqc.PublicIdentity.from_bytes(client)])
    buffer = memoryview(bytearray(MAX_BYTES))
    with pqc.Listener(me, trust) as listener:
        pipe.send(listener.address)
        with listener.accept(timeout_s=60) as channel:
            try:
                while True:
                    size = channel.receive_into(buffer)
                    channel.send(_answer(buffer[:size]))
            except pqc.ChannelClosed:
                return


def _serve_bare(path: Path, client: bytes, pipe: Any) -> None:
    me = pqc.Identity.load(path, passphrase=PASSPHRASE)
    context = bare_context(me, pqc.PublicIdentity.from_bytes(client).ml_dsa_key)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname())
        channel = BareChannel(bare_handshake(listening.accept()[0], context, server=True))
    try:
        while True:
            channel.send(_answer(channel.receive()))
    except (SSL.ZeroReturnError, SSL.SysCallError):
        return


@contextmanager
def served(parties: Parties, *, bare: bool) -> Iterator[Any]:
    """Yield a client whose server runs in another process."""
    ours, theirs = multiprocessing.Pipe()
    arguments = (parties.path, parties.client.public.to_bytes(), theirs)
    work = _serve_bare if bare else _serve_channel
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    try:
        address = ours.recv()
        client: Channel | BareChannel
        if bare:
            context = bare_context(parties.client, parties.server.public.ml_dsa_key)
            client = BareChannel(bare_handshake(socket.create_connection(address), context, server=False))
        else:
            client = pqc.connect(address, parties.client, parties.trust, peer="server")
        yield client
        client.close()
        process.join(10)
    finally:
        process.kill()


def both_sides(client: Any, server: Any) -> None:
    """Run the two sides of a connection in two threads and wait for both."""
    thread = threading.Thread(target=server)
    thread.start()
    client()
    thread.join()
