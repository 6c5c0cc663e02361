"""Dealing by the third of three parties: what the helper would deal from the same keys, and in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from trio import each, trio

from mpc.dealer.schedule import Schedule
from mpc.dealer.tuples import Request, corrections, derived_sizes, draw_derived, draw_free
from mpc.protocols.truncate import OFFSET, hide, unmask
from mpc.randomness import Stream
from mpc.third import LEAD, ThirdDealer

KEYS = [bytes([rank + 1]) * 32 for rank in range(3)]


@pytest.fixture(scope="module")
def dealers() -> Iterator[list[ThirdDealer]]:
    with trio() as communicators:
        yield each(ThirdDealer, communicators)


def restarted(dealers: list[ThirdDealer], number: int = 0) -> None:
    schedules = [Schedule() for _ in dealers]
    for schedule in schedules:
        for _ in range(number):
            schedule.count()
    each(lambda dealer, key, schedule: dealer.restart(key, schedule), dealers, KEYS, schedules)


REQUESTS = [
    Request("product", ((3, 4), (4, 2)), "matmul"),
    Request("product", ((2, 3), (3,)), "mul"),
    Request("square", ((5,),)),
    Request("and", ((5,), (2, 5))),
    Request("bit", ((7,),)),
    Request("truncation", ((4,),), divisor=3),
    Request("comparison", ((70,),)),
    Request("harmonics", ((5,),), options=(("count", 3), ("period_bits", 19))),
    Request("dcf", ((3,),)),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: f"{request.kind}{request.op}")
def test_tuples_are_those_of_a_helper_with_the_same_keys(
    dealers: list[ThirdDealer], request_: Request
) -> None:
    restarted(dealers)
    shares = each(lambda dealer: dealer.deal(request_), dealers)
    streams = [Stream(key, 0) for key in KEYS[:2]]
    drawn = [draw_free(request_, stream) for stream in streams]
    sent = corrections(request_, [Stream(key, 0) for key in KEYS[:2]])
    common = sent[len(derived_sizes(request_)) :]
    expected = [drawn[0] + sent, drawn[1] + draw_derived(request_, streams[1]) + common]
    for own, parts in zip(shares[:2], expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own, parts, strict=True))
    assert [part.shape for part in shares[2]] == [part.shape for part in shares[0]]
    assert not any(bool(part.any()) for part in shares[2])


def test_numbers_go_on_and_no_stream_is_used_twice(dealers: list[ThirdDealer]) -> None:
    restarted(dealers)
    first = each(lambda dealer: dealer.masks([(4,), (4,)]), dealers)
    second = each(lambda dealer: dealer.masks([(4,), (4,)]), dealers)
    handed = each(lambda dealer: dealer.hand_over(torch.zeros(4, dtype=torch.long)), dealers)
    words = torch.cat([*first[1], *second[1], handed[1]])
    assert torch.unique(words).nelement() == words.nelement()
    assert torch.equal(first[2][0], first[0][0] + first[1][0])


def test_a_schedule_read_back_gives_the_same_tuples(dealers: list[ThirdDealer]) -> None:
    restarted(dealers, 5)
    kept = [dealer.schedule() for dealer in dealers]
    before = each(lambda dealer: dealer.masks([(6,)]), dealers)
    each(lambda dealer, key, own: dealer.restart(key, Schedule.from_bytes(own)), dealers, KEYS, kept)
    after = each(lambda dealer: dealer.masks([(6,)]), dealers)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("bitwise", [False, True])
def test_handing_over_leaves_the_value_and_nothing_at_the_third(
    dealers: list[ThirdDealer], bitwise: bool
) -> None:
    shares = [Stream(bytes([90 + rank]) * 32).words((3, 2)) for rank in range(3)]
    after = each(lambda dealer, share: dealer.hand_over(share, bitwise), dealers, shares)
    value = shares[0] ^ shares[1] ^ shares[2] if bitwise else shares[0] + shares[1] + shares[2]
    assert torch.equal(after[0] ^ after[1] if bitwise else after[0] + after[1], value)
    assert not after[2].any()
    assert not torch.equal(after[0] - shares[0], shares[2])


@pytest.mark.parametrize("divisor", [2**16, 569])
def test_truncation_counts_the_third_partys_share(dealers: list[ThirdDealer], divisor: int) -> None:
    x = torch.tensor([[0, -(2**62), 2**62 - 1], [1, -1, 12345678]])
    shares = [Stream(bytes([80 + rank]) * 32).words(x.shape) for rank in range(2)]
    shares.append(x - shares[0] - shares[1])
    masks = each(lambda dealer, own: dealer.truncation(own, divisor), dealers, shares)
    hidden = [hide(share, mask, k == 0) for k, (share, mask) in enumerate(zip(shares, masks, strict=True))]
    c = hidden[0] + hidden[1]
    parts = [unmask(c, divisor, mask, k == 0) for k, mask in enumerate(masks)]
    assert not hidden[2].any() and not parts[2].any()
    wrong = [
        abs(int(q) * divisor - int(value))
        for q, value in zip((parts[0] + parts[1]).flatten(), x.flatten(), strict=True)
    ]
    assert max(wrong) < 2 * divisor
    assert int((c - x - OFFSET).abs().min()) > 0


def test_the_third_party_is_not_too_far_ahead(dealers: list[ThirdDealer]) -> None:
    """It waits for the first one at every LEAD-th tuple, and says so where that one is elsewhere."""
    restarted(dealers)
    before = [dealer.rounds for dealer in dealers]
    each(lambda dealer: [dealer.masks([(1,)]) for _ in range(2 * LEAD + 1)], dealers)
    assert [dealer.rounds - old for dealer, old in zip(dealers, before, strict=True)] == [3, 0, 3]

    restarted(dealers, LEAD)

    def shifted(dealer: ThirdDealer) -> Any:
        if dealer._rank == 2:
            dealer._schedule = Schedule()
            with pytest.raises(ValueError, match="the first party is not at tuple 0"):
                dealer.masks([(1,)])
        else:
            dealer.masks([(1,)])

    each(shifted, dealers)
