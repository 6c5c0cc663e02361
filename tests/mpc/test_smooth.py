"""Sigmoid, tanh and softmax of secret tensors: within units of the exact ones, rounds and bytes counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mpc

# A message has its length in front, and a round is one message to each other party.
FRAME = 8
POINTS = np.concatenate(
    [np.linspace(-40, 40, 2001), [2.0**-16, -(2.0**-16), 12.0, -12.0, 12.5, 30_000, -30_000]]
)
ROWS = np.random.default_rng(1).normal(size=(60, 10)) * 6
ROWS[0], ROWS[1, 3], ROWS[2] = 0.0, 300.0, np.arange(10) * -5


def counted(party: mpc.Party, work: Any) -> tuple[Any, int, int]:
    before = party.cost()
    result = work()
    # A division that it waits for belongs to it.
    _ = result.share
    cost = party.cost() - before
    return party.reveal(result), cost.rounds, cost.bytes_sent


def compute(party: mpc.Party) -> dict[str, tuple[Any, int, int]]:
    from mpc.engine import crypten

    def share(value: Any) -> Any:
        return party.secret(value if party.rank == 0 else None, owner=0, size=value.shape)

    x, rows, wide = share(POINTS), share(ROWS), share(np.tile(ROWS, 2))
    outcome = {
        "sigmoid": counted(party, x.sigmoid),
        "tanh": counted(party, x.tanh),
        "softmax": counted(party, lambda: rows.softmax(1)),
        "columns": counted(party, lambda: rows.t().softmax(0)),
        "of two": counted(party, lambda: rows[:, :2].softmax(1)),
        "of twenty": counted(party, lambda: wide.softmax(1)),
        "of one": counted(party, lambda: rows[:, :1].softmax(1)),
        "none": counted(party, lambda: x[:0].sigmoid()),
    }
    with crypten.cfg.temp_override({"functions.sigmoid_tanh_method": "chebyshev"}):
        outcome["chebyshev"] = counted(party, x[900:1100].tanh)
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, tuple[Any, int, int]]]:
    results = mpc.run_local(compute, request.param)
    for result in results[1:]:
        for name, (value, rounds, octets) in result.items():
            assert torch.equal(value, results[0][name][0])
            assert (rounds, octets) == results[0][name][1:]
    return request.param, results[0]


def test_values(outcome: tuple[int, dict[str, tuple[Any, int, int]]]) -> None:
    """A unit for the series, half a one at the ends of its range, and what cutting the input off changes."""
    _, found = outcome
    x, rows = torch.from_numpy(POINTS), torch.from_numpy(ROWS)
    units = {
        "sigmoid": (torch.sigmoid(x), 1.75),
        "tanh": (torch.tanh(x), 2.5),
        # An error of one unit in each power, the sum of which is at least 1, and three more steps.
        "softmax": (torch.softmax(rows, 1), 13),
        "columns": (torch.softmax(rows, 1).t(), 13),
        "of two": (torch.softmax(rows[:, :2], 1), 5),
        "of twenty": (torch.softmax(torch.cat([rows, rows], 1), 1), 40),
        "of one": (torch.ones(60, 1), 0),
        "none": (torch.zeros(0), 0),
    }
    for name, (exact, bound) in units.items():
        value = found[name][0].double()
        assert value.shape == exact.shape
        assert not value.numel() or (value - exact).abs().max() * 2**16 <= bound, name
    assert (found["chebyshev"][0] - torch.tanh(x[900:1100])).abs().max() > 2.0**-12, (
        "CrypTen's own, as asked for"
    )


def test_rounds_and_bytes(outcome: tuple[int, dict[str, tuple[Any, int, int]]]) -> None:
    parties, found = outcome
    others = parties - 1

    def test_of(count: int) -> int:
        return 8 * count + sum(-(-planes * count // 8) for planes in (27, 6, 1))

    def sent(messages: list[int]) -> int:
        return others * sum(message + FRAME for message in messages)

    count = POINTS.size
    for name in ("sigmoid", "tanh"):
        _, rounds, octets = found[name]
        assert rounds == (6 if others else 0)
        # Two tests in four messages, then two words.
        assert octets <= others * (2 * test_of(count) + 16 * count + 6 * FRAME + 8)
        assert octets / max(1, others) / count < 41
    _, rounds, octets = found["softmax"]
    assert rounds == (16 if others else 0)
    assert octets / max(1, others) / len(ROWS) < 1200
    assert found["columns"][1:] == found["softmax"][1:]
    assert found["of one"][1:] == found["none"][1:] == (0, 0)
