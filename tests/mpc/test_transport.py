"""The communicator at peers that misbehave: errors say who it was, and none waits longer than agreed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
import torch
from torch.distributed import ReduceOp

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


# More than both ends' socket buffers hold (6 and 4 MiB at most on Linux).
LARGE = torch.arange(1 << 21)


@pytest.mark.parametrize("size", [0, 8 * LARGE.numel() - 8, 8 * LARGE.numel() + 8])
def test_a_large_message_of_another_length_is_refused(ends: list[tuple[Channel, Channel]], size: int) -> None:
    """It comes while this end sends as much, which its peer takes in."""
    theirs = ends[0][1]

    def both_ways() -> None:
        theirs.send(bytes(size))
        theirs.receive(timeout_s=60)

    sending = threading.Thread(target=both_ways)
    sending.start()
    with pytest.raises(ValueError, match=f"south sent {size} bytes where {LARGE.nbytes} were expected"):
        communicator(ends).all_reduce(LARGE)
    sending.join(60)
    assert not sending.is_alive()


@pytest.mark.parametrize(
    ("op", "combine"),
    [(ReduceOp.SUM, torch.add), (ReduceOp.BXOR, torch.bitwise_xor), (ReduceOp.MAX, torch.maximum)],
)
def test_both_sides_send_large_messages_at_once(
    ends: list[tuple[Channel, Channel]], op: Any, combine: Callable[..., torch.Tensor]
) -> None:
    """What was given stays as it is, and the results of both are equal."""
    values = [LARGE, LARGE.flip(0) * 3]
    given = [value.clone() for value in values]
    both = [communicator(ends), ChannelCommunicator(1, {0: ends[0][1]}, 60.0)]
    results: dict[int, torch.Tensor] = {}

    def reduce(rank: int) -> None:
        results[rank] = both[rank].all_reduce([values[rank]], op=op, batched=True)[0]

    threads = [threading.Thread(target=reduce, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for rank in range(2):
        assert torch.equal(results[rank], combine(*given))
        assert torch.equal(values[rank], given[rank])


def test_a_peer_that_goes_in_the_middle_of_a_large_message(ends: list[tuple[Channel, Channel]]) -> None:
    """As if it was killed: its socket ends with a part of the message in it."""
    connected = ends[0][1].detach().connected

    def go() -> None:
        connected.settimeout(60)
        assert connected.recv(1 << 16)
        connected.close()

    going = threading.Thread(target=go)
    going.start()
    with pytest.raises(PartyLost, match=r"^lost south \(rank 1\): "):
        communicator(ends).all_reduce(LARGE)
    going.join(60)
    assert not going.is_alive()


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
