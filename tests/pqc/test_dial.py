"""Connecting: retried as the caller says, bounded in time, never to a peer that is not pinned."""

import socket
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

import pqc

sys.path.insert(0, str(Path(__file__).parent.parent))

from ports import free_port


def test_nobody_there_is_an_error_at_once(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    with pytest.raises(ConnectionRefusedError):
        pqc.connect(("127.0.0.1", free_port()), alice, trust, peer="bob")


def test_it_waits_for_a_peer_that_starts_later(
    alice: pqc.Identity, bob: pqc.Identity, trust: pqc.TrustStore
) -> None:
    port = free_port()

    def serve_later() -> None:
        time.sleep(0.3)
        with pqc.Listener(bob, trust, port=port) as listener, listener.accept(timeout_s=10) as channel:
            channel.send(b"here")

    thread = threading.Thread(target=serve_later)
    thread.start()
    with pqc.connect(("127.0.0.1", port), alice, trust, peer="bob", retry_s=[0.1] * 50) as channel:
        assert channel.receive(timeout_s=5) == b"here"
    thread.join()


def test_retries_end_with_the_timeout(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    with pytest.raises(TimeoutError, match=r"within 0.3 s"):
        pqc.connect(
            ("127.0.0.1", free_port()),
            alice,
            trust,
            peer="bob",
            timeout_s=0.3,
            retry_s=iter(lambda: 0.05, None),
        )


def test_a_silent_server_runs_out_of_time(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(TimeoutError, match="handshake"):
        pqc.connect(server.getsockname(), alice, trust, peer="bob", timeout_s=0.3)


def test_an_address_that_never_answers_is_named(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    """Connections that nobody accepts fill a queue of length 0; the system leaves the next one waiting."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        with pytest.raises(TimeoutError, match=r"connect to \('127.0.0.1', \d+\): nothing within 0.3 s"):
            pqc.connect(server.getsockname(), alice, trust, peer="bob", timeout_s=0.3)


def test_a_refusal_is_not_tried_again(
    alice: pqc.Identity, mallory: pqc.Identity, trust: pqc.TrustStore
) -> None:
    """The waits after a lost connection are for peers that start late, not for another identity."""
    waits = iter([0.0, 0.0])
    everybody = pqc.TrustStore([alice.public, mallory.public])
    listener = pqc.Listener(mallory, everybody)

    def serve() -> None:
        with suppress(pqc.ChannelError):  # closing the listener ends it
            listener.accept()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(pqc.PeerRefused, match="expected the peer 'bob', got 'mallory'"):
        pqc.connect(listener.address, alice, trust, peer="bob", retry_s=waits)
    listener.close()
    thread.join()
    assert list(waits) == [0.0, 0.0]


def test_a_server_that_hangs_up_is_a_cut(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        with pytest.raises(pqc.ChannelCut):
            pqc.connect(server.getsockname(), alice, trust, peer="bob")
        thread.join()


def test_a_name_that_is_not_pinned_is_refused_before_connecting(
    alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    with pytest.raises(pqc.PeerRefused, match=r"expected one of the pinned \['alice', 'bob'\], got 'carol'"):
        pqc.connect(("127.0.0.1", 9), alice, trust, peer="carol")
