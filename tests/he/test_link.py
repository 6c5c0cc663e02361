"""Messages in pieces over a real channel."""

import threading
from collections.abc import Iterator

import pytest

import pqc
from he.link import PIECE_BYTES, Kind, Link


@pytest.fixture(scope="module")
def channels() -> Iterator[tuple[pqc.channel.Channel, pqc.channel.Channel]]:
    ann, ben = pqc.Identity.create("ann"), pqc.Identity.create("ben")
    trust = pqc.TrustStore([ann.public, ben.public])
    with pqc.Listener(ben, trust, max_message_bytes=PIECE_BYTES) as listener:
        accepted: list[pqc.channel.Channel] = []
        thread = threading.Thread(target=lambda: accepted.append(listener.accept(timeout_s=10)))
        thread.start()
        with pqc.connect(listener.address, ann, trust, peer="ben") as one:
            thread.join()
            with accepted[0] as other:
                yield one, other


def test_a_long_message_goes_in_pieces_and_is_read_as_it_is_wanted(channels: tuple) -> None:  # type: ignore[type-arg]
    one, other = map(Link, channels)
    data = bytes(range(256)) * (PIECE_BYTES // 100)
    thread = threading.Thread(target=one.send_stream, args=(Kind.KEYS, 7, len(data), [data[:5], data[5:]]))
    thread.start()
    incoming = other.receive(10)
    assert (incoming.kind, incoming.number, incoming.length) == (Kind.KEYS, 7, len(data))
    with pytest.raises(ValueError, match=f"a message of {len(data)} bytes is announced, expected at most 9"):
        incoming.whole(9)
    with pytest.raises(ValueError, match=f"a message of {len(data)} bytes given, expected 1 more"):
        incoming.read(len(data) + 1)
    got = [incoming.read(n) for n in (0, 3, 10, PIECE_BYTES + 1)]
    got.append(incoming.whole(len(data)))
    thread.join()
    assert b"".join(got) == data and incoming.left == 0
    assert other.peer == "ann"


def test_what_is_left_can_be_dropped(channels: tuple) -> None:  # type: ignore[type-arg]
    one, other = map(Link, channels)
    one.send(Kind.REQUEST, 1, bytes(1000))
    one.send(Kind.REQUEST, 2, b"")
    incoming = other.receive(10)
    assert not incoming.drop(999)
    assert incoming.drop(1000)
    assert other.receive(10).whole(0) == b""


def test_what_is_no_message_is_refused(channels: tuple) -> None:  # type: ignore[type-arg]
    one, other = channels
    link = Link(other)
    one.send(b"abc")
    with pytest.raises(ValueError, match="a header of 3 bytes given, expected 17"):
        link.receive(10)
    one.send(b"\x00" + bytes(16))
    with pytest.raises(ValueError, match="a message of kind 0 given, expected one of"):
        link.receive(10)
    one.send(b"\x04" + bytes(8) + (3).to_bytes(8, "little"))
    one.send(b"")
    incoming = link.receive(10)
    with pytest.raises(ValueError, match="a piece of 0 bytes given, expected 1 to 3"):
        incoming.whole(3)
    assert not incoming.drop(1000)
