"""What is opened within protocols reaches two of three parties; a share that is not summed is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from trio import each, trio

from mpc.pairwise import PairCommunicator

WORDS = [torch.tensor([5, -7]), torch.tensor([2**63 - 1, 1]), torch.tensor([0, 0])]


@pytest.fixture
def three() -> Iterator[list[PairCommunicator]]:
    with trio() as communicators:
        yield communicators


def test_openings_reach_the_first_two(three: list[PairCommunicator]) -> None:
    sums = each(lambda one, word: one.all_reduce(word.clone()), three, WORDS)
    assert [total.tolist() for total in sums] == [[-(2**63) + 4, -6]] * 2 + [[0, 0]]
    parts = each(lambda one, word: one.all_gather(word), three, WORDS)
    assert [[part.tolist() for part in own] for own in parts][2] == [[0, 0]] * 3
    assert [one.rounds for one in three] == [2, 2, 0]
    assert three[2].bytes_received == three[2].bytes_sent == 0
    assert three[0].bytes_sent == three[1].bytes_sent == 2 * (16 + 8)


def test_outputs_reach_all_three(three: list[PairCommunicator]) -> None:
    sums = each(lambda one, word: one.output(word), three, WORDS)
    assert [total.tolist() for total in sums if total is not None] == [[-(2**63) + 4, -6]] * 3
    bits = each(lambda one, word: one.output(word, bitwise=True), three, WORDS)
    assert [word.tolist() for word in bits if word is not None] == [[(2**63 - 1) ^ 5, -7 ^ 1]] * 3
    assert three[2].bytes_sent == 0


@pytest.mark.parametrize("to", range(3))
def test_outputs_reach_one(three: list[PairCommunicator], to: int) -> None:
    totals = each(lambda one, word: one.output(word, to), three, WORDS)
    assert [total is not None for total in totals] == [rank == to for rank in range(3)]


def test_an_opening_within_a_protocol_never_goes_to_the_third(three: list[PairCommunicator]) -> None:
    for one in three:
        with pytest.raises(RuntimeError, match="must not see it"):
            one.reduce(WORDS[0], 2)


def test_a_share_of_the_third_party_is_not_lost(three: list[PairCommunicator]) -> None:
    with pytest.raises(RuntimeError, match="holds a share that nobody adds"):
        three[2].all_reduce(WORDS[0])
    with pytest.raises(RuntimeError, match="holds a share that nobody adds"):
        three[2].output(WORDS[0], 0)


def test_all_wait_at_a_barrier(three: list[PairCommunicator]) -> None:
    each(lambda one: one.barrier(), three)
    assert [one.rounds for one in three] == [1, 1, 1]
