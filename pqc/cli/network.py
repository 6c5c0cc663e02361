"""Commands about channels: serve, connect, bench."""

import sys
import threading
import time
from collections.abc import Callable
from typing import Annotated

import typer

from pqc import dial, kem
from pqc.channel import Channel
from pqc.cli.options import IdentityFile, Secret, Trust, load_identity
from pqc.errors import ChannelClosed, ChannelError
from pqc.identity import Identity
from pqc.listener import Listener
from pqc.trust import TrustStore

MAX_LINE_BYTES = 64 * 1024
Host = Annotated[str, typer.Option("--host", help="The address.")]
Port = Annotated[int, typer.Option("--port", help="The port; 0 takes a free one, which is shown.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (serve, connect, bench):
        app.command()(command)


def serve(
    identity: IdentityFile,
    trust: Trust,
    host: Host = "127.0.0.1",
    port: Port = 0,
    once: Annotated[bool, typer.Option("--once", help="End when the first peer has gone.")] = False,
    secret: Secret = None,
) -> None:
    """Accept pinned peers, show each line they send, and send it back in capitals."""
    me, store = load_identity(identity, secret), TrustStore.load(trust)
    with Listener(me, store, host, port, max_message_bytes=MAX_LINE_BYTES) as listener:
        typer.echo(f"{me.name} listens on {listener.address[0]} port {listener.address[1]}")
        while True:
            with listener.accept() as channel:
                typer.echo(f"{channel.peer} connected with {channel.group}")
                _answer(channel)
            if once:
                return


def connect(
    port: Annotated[int, typer.Argument(help="The peer's port.")],
    peer: Annotated[str, typer.Option("--peer", help="The pinned name that must answer.")],
    identity: IdentityFile,
    trust: Trust,
    host: Host = "127.0.0.1",
    secret: Secret = None,
) -> None:
    """Send each line of standard input to a peer that serves, and show its answer."""
    me, store = load_identity(identity, secret), TrustStore.load(trust)
    with dial.connect((host, port), me, store, peer=peer, max_message_bytes=MAX_LINE_BYTES) as channel:
        typer.echo(f"connected to {channel.peer} with {channel.group}", err=True)
        for line in sys.stdin:
            channel.send(line.rstrip("\n").encode(), timeout_s=10)
            typer.echo(_harmless(channel.receive(timeout_s=10).decode(errors="replace")))


def bench() -> None:
    """Measure on this machine, in one process: KEM, handshake, round trip, bulk. Rough; see `make bench`."""
    me, peer = Identity.create("bench-a"), Identity.create("bench-b")
    store = TrustStore([me.public, peer.public])
    private = kem.algorithm("ML-KEM-768").generate()
    _show("ML-KEM-768 encapsulate and decapsulate", 500, lambda: _kem(private))
    with Listener(peer, store) as listener:
        _show("connect and close, mutual ML-DSA-65", 20, lambda: _connect_and_close(listener, me, store))
        ours, theirs = _open(listener, me, store)
        echo = threading.Thread(target=_echo, args=(theirs,))
        echo.start()
        with ours:
            _show("round trip of 100 bytes", 1000, lambda: _round_trip(ours, bytes(100)))
            _show("64 MiB there and back", 3, lambda: _round_trip(ours, bytes(1 << 26)))
        echo.join()


def _answer(channel: Channel) -> None:
    try:
        while True:
            line = channel.receive().decode(errors="replace")
            typer.echo(f"{channel.peer}: {_harmless(line)}")
            channel.send(line.upper().encode(), timeout_s=10)
    except ChannelClosed:
        typer.echo(f"{channel.peer} closed")
    except (ChannelError, TimeoutError) as error:  # one peer's silence is no reason to stop serving
        typer.echo(f"{channel.peer}: {error}")


def _harmless(line: str) -> str:
    """A peer's text without what could command a terminal."""
    return line if line.isprintable() else repr(line)


def _show(what: str, times: int, work: Callable[[], object]) -> None:
    started = time.perf_counter()
    for _ in range(times):
        work()
    typer.echo(f"{(time.perf_counter() - started) / times * 1e3:10.3f} ms  {what}")


def _kem(private: kem.PrivateKey) -> None:
    private.decapsulate(private.public.encapsulate().ciphertext)


def _open(listener: Listener, me: Identity, store: TrustStore) -> tuple[Channel, Channel]:
    accepted: list[Channel] = []
    thread = threading.Thread(target=lambda: accepted.append(listener.accept(timeout_s=10)))
    thread.start()
    ours = dial.connect(listener.address, me, store, peer="bench-b")
    thread.join()
    return ours, accepted[0]


def _connect_and_close(listener: Listener, me: Identity, store: TrustStore) -> None:
    for channel in _open(listener, me, store):
        channel.close()


def _echo(channel: Channel) -> None:
    with channel:
        try:
            while True:
                channel.send(channel.receive())
        except ChannelClosed:
            return


def _round_trip(channel: Channel, message: bytes) -> None:
    channel.send(message)
    channel.receive(timeout_s=60)
