"""The largest of secret numbers, by knockout and by league: the first of equals, whatever was played."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import mpc

GENERATOR = torch.Generator().manual_seed(3)
# Few distinct values, so that there are ties.
TABLES = {
    entries: torch.randint(-2, 3, (40, entries), generator=GENERATOR).double() * 0.5
    for entries in (1, 2, 3, 4, 10, 16, 17, 50)
}
TABLES[10][0] = torch.tensor([-(2.0**29), 2.0**29, 0, 2.0**-16, -(2.0**-16), 1, 2, 3, 2.0**29, -1])
WEIGHTS = torch.linspace(-1, 1, 60).double().reshape(6, 10)
INPUTS = torch.linspace(-2, 3, 24).double().reshape(4, 6)


def compute(party: mpc.Party) -> dict[str, Any]:
    from mpc.engine import crypten
    from mpc.maximum import contest

    def share(value: torch.Tensor) -> Any:
        return party.secret(value if party.rank == 0 else None, 0, value.shape)

    outcome: dict[str, Any] = {}
    for entries, table in TABLES.items():
        before = party.cost()
        played = contest(crypten, share(table))
        best, place = played.best(), played.place()
        outcome[str(entries)] = party.reveal(best), party.reveal(place), (party.cost() - before).rounds
    # A layer's result, which is divided in the same messages.
    x = share(INPUTS)
    x.requires_grad = True
    scores = x.matmul(share(WEIGHTS)).detach()
    before = party.cost()
    best = contest(crypten, scores).best()
    outcome["waiting"] = party.reveal(best), (party.cost() - before).rounds
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, Any]]:
    return request.param, mpc.run_local(compute, request.param)[0]


@pytest.mark.parametrize("entries", TABLES)
def test_the_first_of_the_largest(outcome: tuple[int, dict[str, Any]], entries: int) -> None:
    table = TABLES[entries]
    best, place, _ = outcome[1][str(entries)]
    assert torch.equal(best.double(), table.max(1, keepdim=True).values.float().double())
    # torch's own choice among equals differs: the first place where the maximum stands.
    first = (table == table.max(1, keepdim=True).values).double().argmax(1)
    assert torch.equal(place.double(), torch.nn.functional.one_hot(first, entries).double())


def test_rounds_of_leagues_and_knockouts(outcome: tuple[int, dict[str, Any]]) -> None:
    """Two numbers play a knockout, more than sixteen in leagues and their winners on; places of the latter
    take a product more. The revealing of both results is two rounds.
    """
    parties, found = outcome
    expected = {"1": 0, "2": 4, "3": 6, "4": 6, "10": 6, "16": 6, "17": 6 + 4 + 1, "50": 6 + 6 + 1}
    for name, rounds in expected.items():
        assert found[name][2] == (rounds + 2 if parties > 1 else found[name][2]), name


def test_a_waiting_division_takes_no_round(outcome: tuple[int, dict[str, Any]]) -> None:
    parties, found = outcome
    best, rounds = found["waiting"]
    exact = (INPUTS @ WEIGHTS).max(1, keepdim=True).values
    # A unit of the division; six products of encoded factors up to 3.
    assert float((best - exact).abs().max()) <= (1 + 6 * 2) * 2.0**-16
    assert rounds == (7 if parties > 1 else rounds)


def by_cost(party: mpc.Party) -> int:
    from mpc.engine import crypten
    from mpc.maximum import contest

    table = TABLES[10]
    x = party.secret(table if party.rank == 0 else None, 0, table.shape)
    before = party.cost()
    contest(crypten, x).place()
    return (party.cost() - before).rounds


def test_a_line_without_latency_gets_the_knockout() -> None:
    """Nothing is gained there by fewer rounds: 16 for the tests and three products of bits."""
    near = mpc.cost.Network(0.0, 1e6)
    assert mpc.run_local(by_cost, 2, comparison=near)[0] == 16 + 3
