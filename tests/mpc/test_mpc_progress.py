"""The bar opens the loss when all parties want it equally often, and nothing otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mpc
from mpc.linear import LinearSVC, LogisticRegression, Ridge
from mpc.network import Network
from mpc.optimise import SGD
from mpc.processes import ProcessFailed
from mpc.progress import Progress

RNG = np.random.default_rng(2)
X = RNG.normal(size=(24, 3))
Y = (X[:, :1] + 0.3 * RNG.normal(size=(24, 1)) > 0).astype(float)
MODELS = {"logistic": LogisticRegression(steps=4), "ridge": Ridge(steps=4), "vectors": LinearSVC(steps=4)}


def perceptron() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))


def losses(x: Any, y: Any) -> dict[str, float]:
    """After four steps in the clear, on all rows."""
    values = {name: model.fit(x, y).loss(x, y).item() for name, model in MODELS.items()}
    twin = Network(perceptron()).fit(x, y, optimiser=SGD(), steps=4, batch_size=None)
    values["network"] = nn.functional.binary_cross_entropy_with_logits(twin.scores(x), y).item()
    return values


def program(party: mpc.Party) -> dict[str, Any]:
    x = party.secret(X if party.rank == 0 else None, owner=0, size=X.shape)
    y = party.secret(Y if party.rank == 0 else None, owner=0, size=Y.shape)
    curves, sent = {}, []
    for name, model in MODELS.items():
        shown = Progress(party, loss_every=2)
        model.fit(x, y, progress=shown)
        curves[name] = shown.curve
    network, shown = Network.share(party, perceptron(), owner=0), Progress(party, loss_every=4)
    network.fit(x, y, optimiser=SGD(), steps=4, batch_size=None, progress=shown)
    for silent in (None, Progress(party)):
        before = party.cost()
        MODELS["ridge"].fit(x, y, progress=silent)
        sent.append((party.cost() - before).rounds)
    return {"curves": curves | {"network": shown.curve}, "rounds": sent}


def test_the_loss_is_that_of_the_clear() -> None:
    first, second = mpc.run_local(program, 2)
    assert first == second
    exact = losses(torch.from_numpy(X), torch.from_numpy(Y))
    for name, curve in first["curves"].items():
        assert [step for step, _ in curve] == ([4] if name == "network" else [2, 4])
        assert abs(curve[-1][1] - exact[name]) < 0.005, name
    plain, silent = first["rounds"]
    assert silent == plain + 1, "each party waits for the other's wish, and nothing else is said"


def disagreeing(party: mpc.Party) -> None:
    x = party.secret(X if party.rank == 0 else None, owner=0, size=X.shape)
    MODELS["ridge"].fit(x, x[:, :1], progress=Progress(party, loss_every=None if party.rank else 5))


def test_a_party_alone_gets_no_loss() -> None:
    with pytest.raises(ProcessFailed, match="how often the loss is shown: 5 at party-0, None at party-1"):
        mpc.run_local(disagreeing, 2)


def test_never_is_none() -> None:
    nobody: Any = None
    with pytest.raises(ValueError, match=r"every 1 step or more, or never \(None\), got 0"):
        Progress(nobody, loss_every=0)
