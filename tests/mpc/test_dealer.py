"""The dealer behind real channels: parties' shares fit, orders are checked, an unused rest does no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import torch

import pqc
from mpc.dealer import schedule
from mpc.dealer.client import DealerClient, deal_alone, join_dealer
from mpc.dealer.schedule import Numbered, Schedule
from mpc.dealer.service import pack_orders, serve, unpack_orders
from mpc.dealer.tuples import Request
from pqc.channel import Channel

SQUARE = Request("square", ((100,),))


class Deal:
    """A dealer in a thread and channels to it; `error` is how it ended."""

    def __init__(self, parties: int) -> None:
        identities = [pqc.Identity.create(f"party-{rank}") for rank in range(parties)]
        dealer = pqc.Identity.create("dealer")
        trust = pqc.TrustStore([dealer.public, *(one.public for one in identities)])
        self.error: BaseException | None = None
        with pqc.Listener(dealer, trust) as listener:
            accepted: list[Channel] = []

            def accept_all() -> None:
                accepted.extend(listener.accept(timeout_s=10) for _ in identities)

            accepting = threading.Thread(target=accept_all)
            accepting.start()
            self.channels = [
                pqc.connect(listener.address, one, trust, peer="dealer", timeout_s=10) for one in identities
            ]
            accepting.join()
        by_name = {channel.peer: channel for channel in accepted}
        ordered = [by_name[one.name] for one in identities]
        self.thread = threading.Thread(target=self._serve, args=(ordered,))
        self.thread.start()

    def _serve(self, channels: list[Channel]) -> None:
        try:
            serve(channels)
        except BaseException as error:
            self.error = error
        finally:
            for channel in channels:
                channel.close()

    def clients(self) -> list[DealerClient]:
        return [join_dealer(channel, rank, 10.0) for rank, channel in enumerate(self.channels)]

    def end(self) -> None:
        for channel in self.channels:
            channel.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


def everywhere(clients: list[DealerClient], request: Request) -> list[torch.Tensor]:
    """The parts that the parties' additive shares add up to."""
    shares = [client.deal(request) for client in clients]
    return [torch.stack(parts).sum(dim=0) for parts in zip(*shares, strict=True)]


@pytest.mark.parametrize("parties", [2, 3])
def test_dealt_squares_fit_foreseen_or_not(parties: int) -> None:
    deal = Deal(parties)
    clients = deal.clients()
    sizes = [3, 5, 8] * 40 + [2, 7] * 40 + [3, 5, 8] * 20
    seen = set()
    for size in sizes:
        r, r2 = everywhere(clients, Request("square", ((size,),)))
        assert torch.equal(r2, r * r)
        seen.add(r[0].item())
    assert len(seen) == len(sizes)
    assert clients[0].rounds < len(sizes) / 2
    assert all(client.rounds == 0 for client in clients[1:])
    clients[0].finish()
    deal.end()
    assert deal.error is None


def test_common_parts_come_to_both_foreseen_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what was foreseen is not wanted, under new keys, and when all ends with some on order."""
    monkeypatch.setattr(schedule, "AHEAD_TUPLES", 8)
    deal = Deal(2)
    clients = deal.clients()
    keys = [Request("dcf", ((count,),)) for count in (3, 5)]
    requests = [keys[0], SQUARE, keys[1]] * 20 + [SQUARE, keys[1]] * 20
    seen = set()
    for turn in range(2):
        for request in requests:
            first, second = (client.deal(request) for client in clients)
            if request == SQUARE:
                r, r2 = (a + b for a, b in zip(first, second, strict=True))
                assert torch.equal(r2, r * r)
                continue
            assert all(torch.equal(a, b) for a, b in zip(first[4:], second[4:], strict=True))
            top = (first[0] + second[0] < 0).long()
            assert torch.equal((first[3] + second[3])[0], top)
            seen.add(bytes(first[4].numpy().data))
        # Only a tuple with common parts makes the second party wait.
        assert 0 < clients[1].rounds < clients[0].rounds < len(requests) * (turn + 1)
        for client, key in zip(clients, (b"a" * 32, b"b" * 32), strict=True):
            client.restart(key)
    assert len(seen) == 2 * len([request for request in requests if request != SQUARE])
    for request in requests[:50]:
        for client in clients:
            client.deal(request)
    for client in clients:
        client.finish()
    deal.end()
    assert deal.error is None


def test_large_tuples_ordered_ahead_do_not_block() -> None:
    deal = Deal(2)
    clients = deal.clients()
    for _ in range(60):
        r, r2 = everywhere(clients, Request("square", ((300_000,),)))
        assert torch.equal(r2, r * r)
    clients[0].finish()
    deal.end()
    assert deal.error is None


def test_a_party_that_goes_without_what_it_ordered_ends_the_dealer() -> None:
    """One tuple is on its way, larger than all buffers, and the next one is dealt."""
    deal = Deal(2)
    deal.clients()
    large = [Numbered(number, Request("square", ((1 << 21,),))) for number in range(4)]
    deal.channels[0].send(pack_orders(large))
    deal.channels[0].close()
    deal.thread.join(60)
    deal.end()
    assert isinstance(deal.error, pqc.ChannelError)


def test_a_single_party_deals_to_itself() -> None:
    client = deal_alone()
    for _ in range(50):
        r, r2 = client.deal(SQUARE)
        assert torch.equal(r2, r * r)
    client.finish()


def orders(*numbers: int) -> bytes:
    return pack_orders([Numbered(number, SQUARE) for number in numbers])


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (orders(3, 3), "tuple 3 was dealt before"),
        (orders(5, 4), "tuple 4 was dealt before"),
        (b"", "not an order"),
        (b"\xc1", "not an order"),
        (msgpack.packb(7), "not an order"),
        (msgpack.packb([[1]]), "not an order"),
        (msgpack.packb([[-1, SQUARE.to_bytes()]]), "not in"),
        (msgpack.packb([["1", SQUARE.to_bytes()]]), "not in"),
        (msgpack.packb([[1, b"x"]]), "not a request"),
    ],
)
def test_the_dealer_refuses_other_messages(message: bytes, complaint: str) -> None:
    deal = Deal(2)
    deal.clients()
    deal.channels[0].send(message)
    deal.thread.join(10)
    deal.end()
    with pytest.raises(ValueError, match=complaint):
        raise_(deal.error)


def test_the_dealer_refuses_a_key_of_another_length() -> None:
    deal = Deal(2)
    for channel in deal.channels:
        channel.send(bytes(31))
    deal.thread.join(10)
    deal.end()
    with pytest.raises(ValueError, match="31 bytes, expected 32"):
        raise_(deal.error)


def test_corrections_of_another_length_are_refused() -> None:
    deal = Deal(2)
    client = deal.clients()[0]
    client._schedule._next_number = 1
    deal.channels[0].send(orders(0))  # its answer, of 800 bytes, comes before the one the client waits for
    with pytest.raises(ValueError, match="sent 800 bytes for truncation, expected 1600"):
        client.deal(Request("truncation", ((100,),), divisor=2))
    deal.end()


def test_the_same_key_and_schedule_deal_the_same_again() -> None:
    deal = Deal(2)
    clients = deal.clients()
    keys = [bytes([rank]) * 32 for rank in range(2)]

    def go_on(schedule: bytes | None) -> list[list[torch.Tensor]]:
        for client, key in zip(clients, keys, strict=True):
            client.restart(key, None if schedule is None else Schedule.from_bytes(schedule))
        return [client.deal(SQUARE) for _ in range(40) for client in clients]

    go_on(None)
    moment = clients[0].schedule()
    assert clients[1].schedule() == moment
    assert Schedule.from_bytes(moment).outstanding(), "some are on order at that moment"
    first = [client.deal(SQUARE) for _ in range(40) for client in clients]
    again = go_on(moment)
    for one, two in zip(first, again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    for client, key in zip(clients, keys, strict=True):
        client.restart(key[::-1][:-1] + b"x")
    other = [client.deal(SQUARE) for client in clients]
    assert not torch.equal(other[0][0], first[0][0])
    r, square = (a + b for a, b in zip(*other, strict=True))
    assert torch.equal(r * r, square)
    for client in clients:
        client.finish()
    deal.end()
    assert deal.error is None


def test_orders_survive_the_wire() -> None:
    assert unpack_orders(orders(1, 2, 9)) == [Numbered(number, SQUARE) for number in (1, 2, 9)]


def raise_(error: BaseException | None) -> Callable[..., Any]:
    assert error is not None
    raise error


def test_a_tuple_is_not_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schedule that goes back in its numbers is stopped, whatever led to it; under new keys it may."""
    dealer = deal_alone()
    first, second = (dealer.deal(SQUARE)[0] for _ in range(2))
    assert not torch.equal(first, second)
    monkeypatch.setattr(dealer, "_schedule", Schedule())
    with pytest.raises(RuntimeError, match="tuple 0 would be used after tuple"):
        dealer.deal(SQUARE)
    dealer.restart(bytes(range(32)), Schedule())
    assert not torch.equal(dealer.deal(SQUARE)[0], first)
