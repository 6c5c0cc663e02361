"""Channels between processes: one that is killed or stopped is noticed, and how."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

import pqc
from pqc import wire
from pqc.channel import Channel


def _peer(server: bytes, address: tuple[str, int], pipe: Connection) -> None:
    """Tell who we are, connect when told so, then send for ever."""
    me = pqc.Identity.create("child")
    pipe.send(me.public.to_bytes())
    pipe.recv()
    trust = pqc.TrustStore([pqc.PublicIdentity.from_bytes(server)])
    with pqc.connect(address, me, trust, peer="bob") as channel:
        while True:
            channel.send(bytes(1_000_000))


@pytest.fixture
def child(bob: pqc.Identity) -> Iterator[tuple[Any, Channel]]:
    """A process that sends without end, and the channel from it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    trust = pqc.TrustStore()
    with pqc.Listener(bob, trust) as listener:
        process = context.Process(target=_peer, args=(bob.public.to_bytes(), listener.address, theirs))
        process.start()
        theirs.close()
        try:
            assert ours.poll(30), "the child has not started"
            trust.add(pqc.PublicIdentity.from_bytes(ours.recv()))
            ours.send("go")
            with listener.accept(timeout_s=20) as channel:
                yield process, channel
        finally:
            process.kill()
            process.join()


def test_a_killed_peer_is_noticed_at_once_and_as_a_cut(child: Any) -> None:
    process, channel = child
    assert len(channel.receive(timeout_s=10)) == 1_000_000
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(pqc.ChannelCut):  # and not TimeoutError
        while True:
            channel.receive(timeout_s=10)


def test_a_stopped_peer_runs_the_receiver_out_of_time(child: Any) -> None:
    process, channel = child
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        while True:
            channel.receive(timeout_s=0.5)
    os.kill(process.pid, signal.SIGCONT)
    assert len(channel.receive(timeout_s=10)) == 1_000_000


def test_a_vanished_machine_is_noticed_within_ten_seconds() -> None:
    """Only the system can notice that; what it is told adds up."""
    assert wire.KEEPALIVE_IDLE_S + wire.KEEPALIVE_PROBES * wire.KEEPALIVE_INTERVAL_S == 10
