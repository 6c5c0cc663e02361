"""What is chosen follows from the network and the number of tests, and costs are those that are counted."""

from __future__ import annotations

from typing import Any

import pytest

import mpc
from mpc.choice import Comparing, dcf_cost, tree_cost
from mpc.cost import Cost, Network
from mpc.dealer.tuples import Request

FAR = Network(0.04, 12.5e6)
COUNT = 300
FRAME = 8


def test_by_cost_few_tests_go_by_keys_and_many_by_the_tree() -> None:
    """Three rounds of 40 ms are as long as 1.5 MB on 100 Mbit/s: about 600 keys of 2 kB."""
    comparing = Comparing(FAR, 2)
    chosen = [comparing.by_key(count) for count in range(1, 2000)]
    last = chosen.index(False)
    assert 500 < last < 1000
    assert not any(chosen[last:])
    assert not Comparing(Network(0.0, 1e10), 2).by_key(1)
    assert not Comparing(FAR, 3).by_key(1)


def test_a_setting_holds_for_any_number() -> None:
    assert all(Comparing("dcf", 2).by_key(count) for count in (1, 10**6))
    assert not any(Comparing("tree", parties).by_key(1) for parties in (1, 2, 3))


@pytest.mark.parametrize("text", ["tree", "dcf", "0.04,12500000.0"])
def test_settings_as_text(text: str) -> None:
    assert Comparing.from_text(text, 2).fact() == text


def test_whole_numbers_are_the_same_setting() -> None:
    assert Comparing(Network(1, 5), 2).fact() == Comparing.from_text("1,5", 2).fact()


@pytest.mark.parametrize(
    ("text", "parties", "message"),
    [
        ("fast", 2, "'tree', 'dcf' or a mpc.cost.Network, got 'fast'"),
        ("dcf", 3, "'dcf' is for 2 parties, got 3"),
        ("dcf", 1, "'dcf' is for 2 parties, got 1"),
        ("1,", 2, "comparison '1,'"),
        ("-1,5", 2, "latency of at least 0"),
    ],
)
def test_settings_that_cannot_be(text: str, parties: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Comparing.from_text(text, parties)


def test_no_process_starts_with_one() -> None:
    with pytest.raises(ValueError, match="for 2 parties, got 3"):
        mpc.run_local(spend, 3, comparison="dcf")


def spend(party: mpc.Party) -> tuple[list[Any], Any]:
    """The costs of few tests, and of many, and what was dealt for them."""
    x = party.secret([[0.5, -1.0]] * (COUNT // 2) if party.rank == 0 else None, 0, (COUNT // 2, 2))
    costs = []
    for operand in (x[:1], x):
        before = party.cost()
        operand.relu()
        costs.append(party.cost() - before)
    return costs, party.dealt()


def test_the_cost_is_what_is_counted() -> None:
    """On a network where two numbers are compared by keys, and three hundred by the tree."""
    near = Network(0.01, 1e6)
    assert [Comparing(near, 2).by_key(count) for count in (2, COUNT)] == [True, False]
    (first, dealt), (second, _) = mpc.run_local(spend, 2, comparison=near)
    assert set(dealt) == {Request("dcf", ((2,),)), Request("comparison", ((COUNT,),))}
    for counted, told in zip(first, (dcf_cost(2), tree_cost(COUNT)), strict=True):
        assert counted.rounds == told.rounds
        assert counted.bytes_sent == told.bytes_sent
        assert counted.dealer_bytes_received == told.dealer_bytes_received + FRAME
    # The second party is sent the common parts of a key, and of the tree nothing.
    received = [cost.dealer_bytes_received for cost in second]
    assert received == [2032 * 2 + 16 + FRAME, 0]


def test_costs_of_many_tests_are_those_of_several_tuples() -> None:
    assert dcf_cost(9000).dealer_bytes_received == 2048 * 9000 + 3 * 16
    assert isinstance(tree_cost(9000), Cost)
