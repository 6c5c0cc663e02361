"""Dealt words that arrive while nobody takes them: in order, within a bound, errors in their place."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import pqc
from mpc.dealer import arrivals
from mpc.dealer.arrivals import Arrivals
from pqc.channel import Channel

# More than both ends' socket buffers hold (6 and 4 MiB at most on Linux).
LARGE_WORDS = 1 << 21
WAIT_S = 60.0


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    """The party's end of a channel, and the dealer's."""
    party, dealer = (pqc.Identity.create(name) for name in ("party", "dealer"))
    trust = pqc.TrustStore([party.public, dealer.public])
    accepted: list[Channel] = []
    with pqc.Listener(dealer, trust) as listener:
        answering = threading.Thread(target=lambda: accepted.append(listener.accept(timeout_s=WAIT_S)))
        answering.start()
        ours = pqc.connect(listener.address, party, trust, peer="dealer", timeout_s=WAIT_S)
        answering.join()
    yield ours, accepted[0]
    for channel in (ours, accepted[0]):
        channel.close()


def words(count: int, start: int) -> bytes:
    return np.arange(start, start + count, dtype=np.int64).tobytes()


def test_messages_are_taken_in_while_nobody_takes_them(ends: tuple[Channel, Channel]) -> None:
    party, dealer = ends
    arriving = Arrivals(party)
    counts = [LARGE_WORDS, 0, 3, LARGE_WORDS]
    arriving.expect(counts)
    for start, count in enumerate(counts):
        dealer.send(words(count, start), timeout_s=WAIT_S)  # ends without a single take
    for start, count in enumerate(counts):
        own, received = arriving.take(WAIT_S)
        assert received == own.nbytes == 8 * count
        assert np.array_equal(own, np.arange(start, start + count))


def test_no_more_is_held_than_the_bound(
    ends: tuple[Channel, Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that fit, then one that is larger than the bound and comes when all else was taken."""
    monkeypatch.setattr(arrivals, "HELD_WORDS", 100)
    party, dealer = ends
    arriving = Arrivals(party)
    counts = [60, 40, 1000, 1]
    arriving.expect(counts)
    for start, count in enumerate(counts):
        dealer.send(words(count, start))
    held = []
    for start, count in enumerate(counts):
        with arriving._changed:
            arriving._changed.wait_for(lambda: arriving._arrived, WAIT_S)
            held.append(arriving._held_words)
        own, _ = arriving.take(WAIT_S)
        assert np.array_equal(own, np.arange(start, start + count))
    assert max(held[:2]) <= 100
    assert held[2:] == [1000, 1]


def test_a_dealer_that_has_gone_is_noticed_after_what_it_sent(ends: tuple[Channel, Channel]) -> None:
    party, dealer = ends
    arriving = Arrivals(party)
    arriving.expect([2, 2])
    dealer.send(words(2, 0))
    dealer.close()
    assert arriving.take(WAIT_S).received == 16
    for _ in range(2):
        with pytest.raises(pqc.ChannelClosed):
            arriving.take(WAIT_S)


def test_a_message_of_another_length(ends: tuple[Channel, Channel]) -> None:
    party, dealer = ends
    arriving = Arrivals(party)
    arriving.expect([2, 2])
    dealer.send(words(1, 0))
    dealer.send(words(3, 0))
    assert arriving.take(WAIT_S).received == 8
    with pytest.raises(ValueError, match="the next message has 24 bytes, got room for 16"):
        arriving.take(WAIT_S)


def test_time_counts_from_the_take(ends: tuple[Channel, Channel]) -> None:
    party, dealer = ends
    arriving = Arrivals(party)
    arriving.expect([1])
    with pytest.raises(TimeoutError, match=r"receive from dealer: nothing within 0\.1 s"):
        arriving.take(0.1)
    dealer.send(words(1, 5))
    assert arriving.take(WAIT_S).words.tolist() == [5]
