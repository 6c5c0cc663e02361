"""GELU and SiLU of secret tensors: values, gradients, exact rounds and bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import mpc

UNIT = 2.0**-16
FRAME = 8
POINTS = torch.from_numpy(
    np.concatenate(
        [
            np.linspace(-20, 20, 2001).round(4),
            [UNIT, -UNIT, 4.75, -4.75, 14.0, -14.0, 4.75 + UNIT, 30_000, -30_000],
        ]
    )
)
POINTS = (POINTS / UNIT).round() * UNIT
CLEAR = {"gelu": functional.gelu, "silu": functional.silu}


def compute(party: mpc.Party) -> dict[str, Any]:
    from mpc.engine import crypten

    outcome: dict[str, Any] = {}
    ones = crypten.cryptensor(torch.ones_like(POINTS))
    for name in CLEAR:
        x = crypten.cryptensor(POINTS, requires_grad=True)
        before = party.cost()
        result = getattr(x, name)()
        # A division that it waits for belongs to it.
        _ = result.share
        after = party.cost()
        result.backward(ones.clone())
        forward, backward = after - before, party.cost() - after
        outcome[name] = result.reveal(), x.grad.reveal(), forward, backward
        outcome[f"{name} without gradient"] = getattr(x.detach(), name)().reveal()
        assert getattr(x.detach()[:0], name)().size() == (0,)
    whole = crypten.cryptensor(torch.tensor([1, 2]), precision=0)
    with pytest.raises(ValueError, match="16 fractional bits were expected, got 0"):
        whole.gelu()
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, Any]]:
    return request.param, mpc.run_local(compute, request.param)[0]


@pytest.mark.parametrize("name", CLEAR)
def test_values_and_gradients_within_units(outcome: tuple[int, dict[str, Any]], name: str) -> None:
    """One unit of the truncation, one at the bounds; gradients: the same and one of the product."""
    leaf = POINTS.clone().requires_grad_()
    expected = CLEAR[name](leaf)
    expected.sum().backward()
    value, gradient, _, _ = outcome[1][name]
    for found in (value, outcome[1][f"{name} without gradient"]):
        assert float((found * UNIT - expected.detach()).abs().max()) < 2 * UNIT
    assert float((gradient * UNIT - leaf.grad).abs().max()) < 4 * UNIT


def test_rounds_and_bytes(outcome: tuple[int, dict[str, Any]]) -> None:
    parties, found = outcome
    others, count = parties - 1, POINTS.numel()
    tests = 8 * 2 * count + sum(-(-planes * 2 * count // 8) for planes in (27, 6, 1))
    for name in CLEAR:
        _, _, forward, backward = found[name]
        assert forward.rounds == 6 * bool(others)
        assert forward.bytes_sent == others * (tests + 16 * count + 6 * FRAME)
        assert backward.rounds == 4 * bool(others)
