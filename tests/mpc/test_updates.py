"""CrypTen's optimiser and update: torch's steps, all parameters in one round."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import mpc

X = torch.linspace(-2, 2, 48).reshape(8, 6)
Y = torch.linspace(1, -1, 16).reshape(8, 2)
STEPS = 3
RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "tiny rate": {"lr": 2.0**-8},
    "decay": {"weight_decay": 0.25},
    "momentum": {"momentum": 0.5},
    "damped": {"momentum": 0.5, "dampening": 0.25},
    "Nesterov": {"momentum": 0.5, "nesterov": True, "weight_decay": 0.125},
}
# Rounds of a step by the rule: gradients that take part in a sum are divided first.
ROUNDS = {name: 1 if name in ("plain", "tiny rate") else 2 for name in RULES} | {"update": 1}


def model() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))


def train(party: mpc.Party) -> dict[str, Any]:
    from mpc.engine import crypten

    x, y = crypten.cryptensor(X), crypten.cryptensor(Y)
    outcome: dict[str, Any] = {}
    for name in [*RULES, "update", "threshold"]:
        secret = crypten.nn.from_pytorch(model(), torch.zeros(1, 6)).encrypt().train()
        options = {"lr": 0.1, **RULES.get(name, {})}
        optimiser = crypten.optim.SGD(secret.parameters(), **options)
        for _ in range(STEPS):
            loss = crypten.nn.MSELoss()(secret(x), y)
            secret.zero_grad()
            loss.backward()
            before = party.cost()
            if name in RULES:
                optimiser.step()
            else:
                secret.update_parameters(0.1, *([2.0**10] if name == "threshold" else []))
            rounds = (party.cost() - before).rounds
        outcome[name] = [own.get_plain_text() for own in secret.parameters()], rounds
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, Any]]:
    return request.param, mpc.run_local(train, request.param)[0]


@pytest.mark.parametrize("name", [*RULES, "update", "threshold"])
def test_the_steps_of_torch(outcome: tuple[int, dict[str, Any]], name: str) -> None:
    """Within the units that the gradients of a few products are off by, each step."""
    clear = model()
    optimiser = torch.optim.SGD(clear.parameters(), **{"lr": 0.1, **RULES.get(name, {})})
    for _ in range(STEPS):
        optimiser.zero_grad()
        nn.functional.mse_loss(clear(X), Y).backward()
        optimiser.step()
    found, _ = outcome[1][name]
    for own, expected in zip(found, clear.parameters(), strict=True):
        assert own.shape == expected.shape
        assert float((own - expected.detach()).abs().max()) < 40 * STEPS * 2.0**-16


def test_rounds(outcome: tuple[int, dict[str, Any]]) -> None:
    parties, found = outcome
    if parties == 1:
        return
    assert {name: found[name][1] for name in ROUNDS} == ROUNDS
    assert found["threshold"][1] > 2, "squares, tests and products, a parameter at a time"
