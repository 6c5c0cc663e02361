"""Costs add up, are foretold for another network, and stand in a table that people can read."""

from __future__ import annotations

import numpy as np
import pytest

import mpc
from mpc.cost import Cost, Network, table

COST = Cost(10, 1000, 2, 100, 3000, 0.5)


def test_costs_add_and_subtract() -> None:
    assert (COST + COST) - COST == COST
    assert COST.times(3) - COST == COST + COST
    assert sum([COST, COST], Cost()) == Cost(20, 2000, 4, 200, 6000, 1.0)


def test_seconds_on_a_network() -> None:
    """10 rounds and 2 requests of two ways: 14 latencies; 1000 + 3000 bytes come in, 1100 go out."""
    assert COST.seconds_on(Network(0.04, 1e4)) == pytest.approx(0.5 + 14 * 0.04 + 0.4)
    assert COST.seconds_on(Network(0.0, 1e18)) == pytest.approx(0.5)


@pytest.mark.parametrize("arguments", [(-1.0, 1.0), (0.0, 0.0), (float("nan"), 1.0)])
def test_impossible_networks_are_refused(arguments: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="were expected, got"):
        Network(*arguments)


def test_table_has_a_row_for_each_name_and_the_sum() -> None:
    lines = table({"forward": COST, "backward": COST}, Network(0.04, 1e4)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["forward", "backward", "all"]
    assert lines[0].split()[:2] == ["rounds", "bytes_sent"]
    assert lines[3].split()[1:3] == ["20", "2,000"]
    assert len({len(line) for line in lines}) == 1


def reporting(party: mpc.Party) -> tuple[str, dict[str, Cost], Cost]:
    with party.section("share"):
        x = party.secret(np.ones((4, 4)) if party.rank == 0 else None, owner=0, size=(4, 4))
    for _ in range(3):
        with party.section("multiply"):
            x.matmul(x)
    return party.report(), party.costs, party.cost()


def test_a_party_reports_its_sections() -> None:
    for report, costs, total in mpc.run_local(reporting, 2):
        rows = {line.split()[0]: line.split()[1:] for line in report.splitlines()[1:]}
        assert rows["multiply"][0] == "6"
        assert rows["all"][0] == str(total.rounds)
        assert {name: str(cost.rounds) for name, cost in costs.items()} == {
            name: rows[name][0] for name in ("share", "multiply")
        }
