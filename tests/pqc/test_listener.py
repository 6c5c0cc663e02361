"""Listeners: who gets in, who does not and why, and how little a stranger can hold up."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from OpenSSL import SSL

import pqc
from pqc import tls

Refusals = list[tuple[str, Exception]]


@contextmanager
def serving(listener: pqc.Listener) -> Iterator[list[object]]:
    """Accept in the background until the listener is closed."""
    accepted: list[object] = []

    def serve() -> None:
        while True:
            try:
                accepted.append(listener.accept())
            except pqc.ChannelError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield accepted
    finally:
        listener.close()
        thread.join()


def eventually(done: Callable[[], bool]) -> None:
    """The accepting thread may be a moment behind the peer that it serves."""
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stranger_is_refused_and_both_sides_say_why(
    alice: pqc.Identity, bob: pqc.Identity, mallory: pqc.Identity, trust: pqc.TrustStore
) -> None:
    refused: Refusals = []
    listener = pqc.Listener(bob, trust, on_refused=lambda host, error: refused.append((host, error)))
    with serving(listener) as accepted:
        with pytest.raises(pqc.PeerRefused, match=r"bob refused this identity: .*alert"):
            pqc.connect(listener.address, mallory, trust, peer="bob")
        assert not accepted
        pqc.connect(listener.address, alice, trust, peer="bob").close()
    assert len(refused) == 1
    assert refused[0][0] == "127.0.0.1"
    assert f"got 'mallory' ({mallory.fingerprint})" in str(refused[0][1])


def test_an_impostor_server_is_refused_before_it_learns_who_called(
    alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    impostor = pqc.Identity.create("bob")
    refused: Refusals = []
    open_door = pqc.TrustStore([alice.public])
    listener = pqc.Listener(impostor, open_door, on_refused=lambda host, error: refused.append((host, error)))
    with serving(listener) as accepted, pytest.raises(pqc.PeerRefused, match=f"got {impostor.fingerprint}"):
        pqc.connect(listener.address, alice, trust, peer="bob")
    assert not accepted
    assert "alice" not in str(refused)


def test_the_wrong_pinned_peer_is_refused(
    alice: pqc.Identity, bob: pqc.Identity, mallory: pqc.Identity
) -> None:
    trust = pqc.TrustStore([alice.public, bob.public, mallory.public])
    listener = pqc.Listener(mallory, trust)
    with serving(listener), pytest.raises(pqc.PeerRefused, match="expected the peer 'bob', got 'mallory'"):
        pqc.connect(listener.address, alice, trust, peer="bob")


def raw_client(identity: pqc.Identity, groups: bytes, versions: tuple[int, int]) -> SSL.Connection:
    """A TLS client that offers what it is told to, as somebody else's program might."""
    context = tls.new_context(identity)
    context.set_min_proto_version(versions[0])
    context.set_max_proto_version(versions[1])
    assert SSL._lib.SSL_CTX_set1_curves_list(context._context, groups) == 1
    return SSL.Connection(context, None)


@pytest.mark.parametrize(
    ("groups", "versions", "why"),
    [
        (b"X25519", (SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION), "offered x25519"),
        (b"P-256", (SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION), "offered secp256r1"),
        (b"MLKEM768", (SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION), "X25519MLKEM768"),
        (b"SecP384r1MLKEM1024", (SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION), "X25519MLKEM768"),
        (b"X25519", (SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION), "no TLS 1.3"),
    ],
)
def test_a_client_that_offers_less_gets_no_certificate(
    alice: pqc.Identity,
    bob: pqc.Identity,
    trust: pqc.TrustStore,
    groups: bytes,
    versions: tuple[int, int],
    why: str,
) -> None:
    client = raw_client(alice, groups, versions)
    client.set_connect_state()
    client.set_app_data(tls._Gate(trust, None))
    server = tls.Session(tls.context(bob), trust, server=True)
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.feed(client.bio_read(100_000))
    with pytest.raises(pqc.PeerRefused, match=why):
        server.handshake()
    assert len(server.outgoing()) < 100  # an alert at most, never the certificate


def test_a_server_that_offers_less_does_not_see_the_certificate(
    alice: pqc.Identity, bob: pqc.Identity, trust: pqc.TrustStore
) -> None:
    server = raw_client(bob, b"X25519", (SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION))
    server.set_accept_state()
    server.set_app_data(tls._Gate(trust, None))
    client = tls.Session(tls.context(alice), trust, server=False, expected="bob")
    assert not client.handshake()
    server.bio_write(client.outgoing())
    with pytest.raises(SSL.WantReadError):
        server.do_handshake()
    client.feed(server.bio_read(100_000))
    with pytest.raises(pqc.PeerRefused, match="expected X25519MLKEM768, the peer offered x25519"):
        client.handshake()
    assert client.outgoing() == b""


def test_pythons_own_tls_is_refused(bob: pqc.Identity, trust: pqc.TrustStore) -> None:
    refused: Refusals = []
    listener = pqc.Listener(bob, trust, on_refused=lambda host, error: refused.append((host, error)))
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname, plain.verify_mode = False, ssl.CERT_NONE
    with serving(listener), socket.create_connection(listener.address) as connection, pytest.raises(OSError):
        plain.wrap_socket(connection).recv(1)
    assert "PeerRefused" in repr(refused)


def test_silent_slow_and_noisy_strangers_hold_up_nobody(
    alice: pqc.Identity, bob: pqc.Identity, trust: pqc.TrustStore
) -> None:
    refused: Refusals = []
    listener = pqc.Listener(
        bob,
        trust,
        max_pending_per_host=400,
        max_pending=400,
        handshake_timeout_s=1.0,
        on_refused=lambda host, error: refused.append((host, error)),
    )
    with serving(listener) as accepted, ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(listener.address)) for _ in range(200)]
        for index, connection in enumerate(silent[:20]):
            connection.send(b"\x16\x03\x01\x20" if index % 2 else b"GET / HTTP/1.1\r\n\r\n")
        with pqc.connect(listener.address, alice, trust, peer="bob", timeout_s=10):
            eventually(lambda: len(accepted) == 1)
        for connection in silent[20:]:
            connection.settimeout(20)
            assert connection.recv(100) == b""
        eventually(lambda: len(refused) == 200)


def test_a_handshake_byte_by_byte_gets_no_more_time(
    alice: pqc.Identity, bob: pqc.Identity, trust: pqc.TrustStore
) -> None:
    """A slow loris always has something to say: the time is for the whole handshake, not for a byte."""
    refused: Refusals = []
    listener = pqc.Listener(
        bob, trust, handshake_timeout_s=0.3, on_refused=lambda host, error: refused.append((host, error))
    )
    client = tls.Session(tls.context(alice), trust, server=False, expected="bob")
    client.handshake()
    with serving(listener) as accepted, socket.create_connection(listener.address) as connection:
        sent = 0
        for byte in client.outgoing():
            try:
                sent += connection.send(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.02)
        eventually(lambda: bool(refused))
    assert sent < 1000
    assert not accepted
    assert "handshake: nothing within 0.3 s" in str(refused[0][1])


def test_one_host_cannot_take_all_places(bob: pqc.Identity, trust: pqc.TrustStore) -> None:
    refused: Refusals = []
    listener = pqc.Listener(
        bob, trust, max_pending_per_host=3, on_refused=lambda host, error: refused.append((host, error))
    )
    with serving(listener), ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(listener.address)) for _ in range(4)]
        connections[3].settimeout(5)
        assert connections[3].recv(1) == b""
    assert "too many unfinished handshakes (3 from 127.0.0.1)" in str(refused[0][1])


def test_a_flood_before_authentication_is_cut(bob: pqc.Identity, trust: pqc.TrustStore) -> None:
    refused: Refusals = []
    listener = pqc.Listener(
        bob, trust, max_handshake_bytes=1000, on_refused=lambda host, error: refused.append((host, error))
    )
    with serving(listener), socket.create_connection(listener.address) as connection:
        connection.sendall(b"\x16\x03\x01\x20\x00" + bytes(5000))
        connection.settimeout(5)
        with pytest.raises(ConnectionResetError):
            while connection.recv(1):
                pass
            raise ConnectionResetError  # an orderly end is as good
    assert "expected at most 1000 bytes" in str(refused[0][1])


def test_a_failure_while_reading_a_stranger_does_not_stop_the_listener(
    alice: pqc.Identity, bob: pqc.Identity, trust: pqc.TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: Refusals = []
    listener = pqc.Listener(bob, trust, on_refused=lambda host, error: refused.append((host, error)))
    with serving(listener) as accepted:
        with monkeypatch.context() as patched, socket.create_connection(listener.address) as connection:
            patched.setattr(tls.Session, "handshake", lambda _: 1 / 0)
            connection.send(b"anything")
            eventually(lambda: len(refused) == 1)
        pqc.connect(listener.address, alice, trust, peer="bob").close()
        eventually(lambda: len(accepted) == 1)
    assert isinstance(refused[0][1], ZeroDivisionError)


def test_accept_times_out_and_a_closed_listener_says_so(bob: pqc.Identity, trust: pqc.TrustStore) -> None:
    listener = pqc.Listener(bob, trust)
    with pytest.raises(TimeoutError, match=r"accept: nothing within 0.05 s"):
        listener.accept(timeout_s=0.05)
    for _ in range(2):  # as with files, closing again does nothing
        listener.close()
    with pytest.raises(pqc.ChannelError, match="listener was closed"):
        listener.accept(timeout_s=1)
