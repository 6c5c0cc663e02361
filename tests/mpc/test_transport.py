"""The communicator at peers that misbehave: errors say who it was, and none waits longer than agreed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgpack
import pytest
import torch

import pqc
from mpc.transport import ChannelCommunicator, PartyLost
from pqc.channel import Channel

WORDS = torch.arange(3)


@pytest.fixture
def ends() -> Iterator[list[tuple[Channel, Channel]]]:
    """Two channels of "me": their ends here and those of "south" and "helper", who do what a test wants."""
    me, south, helper = (pqc.Identity.create(name) for name in ("me", "south", "helper"))
    trust = pqc.TrustStore([me.public, south.public, helper.public])
    pairs = []
    with pqc.Listener(me, trust) as listener:
        for other in (south, helper):
            theirs: list[Channel] = []
            caller = threading.Thread(
                target=lambda who=other, to=theirs: to.append(
                    pqc.connect(listener.address, who, trust, peer="me", timeout_s=60)
                )
            )
            caller.start()
            ours = listener.accept(timeout_s=60)
            caller.join()
            pairs.append((ours, theirs[0]))
    yield pairs
    for pair in pairs:
        for channel in pair:
            channel.close()


def communicator(ends: list[tuple[Channel, Channel]], timeout_s: float = 60.0) -> ChannelCommunicator:
    own = ChannelCommunicator(0, {1: ends[0][0]}, timeout_s)
    own.watch(ends[1][0])
    return own


@pytest.mark.parametrize("size", [0, 7, 16, 32])
def test_words_of_another_length_are_refused(ends: list[tuple[Channel, Channel]], size: int) -> None:
    ends[0][1].send(bytes(size))
    with pytest.raises(ValueError, match=f"south sent {size} bytes where 24 were expected"):
        communicator(ends).all_reduce(WORDS)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",  # the one byte that begins nothing
        msgpack.packb([1, 2]) + b"\x00",
        msgpack.packb("cut short")[:-1],
        msgpack.packb(msgpack.ExtType(7, b"")),
        msgpack.packb(msgpack.ExtType(1, msgpack.packb("no sizes"))),
        b"\x91" * 4096,  # a list in a list in a list
    ],
    ids=["empty", "unused", "more", "cut", "extension", "size", "deep"],
)
def test_bytes_that_are_no_value_are_refused(ends: list[tuple[Channel, Channel]], message: bytes) -> None:
    ends[0][1].send(message)
    with pytest.raises(ValueError, match=f"south sent {len(message)} bytes that are no plain value"):
        communicator(ends).recv_obj(1)


def test_a_silent_peer_is_lost_and_named(ends: list[tuple[Channel, Channel]]) -> None:
    with pytest.raises(PartyLost, match=r"^lost south \(rank 1\): .*0\.2 s[^;]*$"):
        communicator(ends, timeout_s=0.2).all_reduce(WORDS)


def test_a_peer_that_has_gone_is_lost_and_named(ends: list[tuple[Channel, Channel]]) -> None:
    ends[0][1].close()
    with pytest.raises(PartyLost, match=r"^lost south \(rank 1\): [^;]*$"):
        communicator(ends).all_reduce(WORDS)


def test_whoever_is_gone_as_well_is_named_too(ends: list[tuple[Channel, Channel]]) -> None:
    """The helper's last words are no sign that it is still there."""
    ends[1][1].send(b"last words")
    for _, theirs in ends:
        theirs.close()
    with pytest.raises(PartyLost, match=r"^lost south \(rank 1\): .*; gone as well: helper$"):
        communicator(ends).all_reduce(WORDS)


def test_what_cannot_be_sent_is_refused(ends: list[tuple[Channel, Channel]]) -> None:
    with pytest.raises(TypeError, match="cannot send a Tensor"):
        communicator(ends).send_obj(WORDS, 1)
