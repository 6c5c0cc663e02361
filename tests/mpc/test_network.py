"""Networks on shares: the twin's steps are torch's own, and the secret network's are the twin's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import mpc
from mpc.batches import batches
from mpc.network import Network
from mpc.optimise import SGD, Adam
from mpc.stopping import EarlyStop

ROWS, STEPS = 40, 2


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    x, y = load_digits(return_X_y=True)
    return torch.from_numpy(x[:ROWS].reshape(-1, 1, 8, 8) / 16), torch.eye(10, dtype=torch.float64)[y[:ROWS]]


def dense() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))


def normed() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 6, bias=False), nn.BatchNorm1d(6), nn.Linear(6, 1))


def convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3, stride=1, bias=False),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4, 10),
    )


def sgd() -> SGD:
    return SGD(learning_rate=0.1, momentum=0.5, l2=0.01)


def adam() -> Adam:
    return Adam(learning_rate=0.01, betas=(0.9, 0.98))


# Model, optimiser, loss, largest difference of an entry from the twin after two steps: fixed point rounds
# by a few units of 2^-16 in each layer, the softmax is wrong by 0.004. Adam divides by the gradient's own
# size, so that where a gradient is all rounding its step of up to 0.01 is as well.
CASES: dict[str, tuple[Any, Any, str, float]] = {
    "dense, sgd": (dense, sgd, "cross-entropy", 0.002),
    "dense, adam": (dense, adam, "mse", 0.01),
    "normed": (normed, sgd, "cross-entropy", 0.005),
    "convolutional": (convolutional, sgd, "mse", 0.005),
}


def labels(y: torch.Tensor, model: nn.Sequential) -> torch.Tensor:
    return y if model[-1].out_features == 10 else y[:, :1]


def fit(network: Network, x: Any, y: Any, optimiser: Any, loss: str) -> Network:
    return network.fit(x, y, optimiser=optimiser, loss=loss, steps=STEPS, batch_size=16, seed=5)


def twin(name: str, other: Adam | None = None) -> Network:
    make, optimiser, loss, _ = CASES[name]
    x, y = digits()
    return fit(Network(make()), x, labels(y, make()), other or optimiser(), loss)


def by_torch(name: str) -> nn.Sequential:
    make, optimiser, loss, _ = CASES[name]
    x, y = digits()
    model, ours = make().double(), optimiser()
    y = labels(y, model)
    rule: torch.optim.Optimizer
    if isinstance(ours, SGD):
        rule = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5, weight_decay=0.01)
    else:
        rule = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.98), eps=1e-14)
    for rows in batches(ROWS, 16, STEPS, 5):
        rule.zero_grad()
        scores, truth = model(x[rows]), y[rows]
        if loss == "mse":
            value = nn.functional.mse_loss(scores, truth)
        elif truth.size(1) == 1:
            value = nn.functional.binary_cross_entropy_with_logits(scores, truth)
        else:
            value = nn.functional.cross_entropy(scores, truth)
        value.backward()
        rule.step()
    return model


def distance(a: nn.Module, b: nn.Module) -> float:
    first, second = a.state_dict(), b.state_dict()
    return max(
        float((first[name] - second[name]).abs().max()) for name in first if first[name].is_floating_point()
    )


@pytest.mark.parametrize("name", CASES)
def test_twin_takes_the_steps_of_torch(name: str) -> None:
    """Adam with a scale so large that its epsilon, which is not torch's, plays no part."""
    tiny_epsilon = Adam(learning_rate=0.01, betas=(0.9, 0.98), scale=2.0**40)
    ours = twin(name, tiny_epsilon if "adam" in name else None)
    assert distance(ours.in_the_clear(), by_torch(name)) < (1e-6 if "adam" in name else 1e-9)


def secure(party: mpc.Party) -> dict[str, Any]:
    x, y = digits()
    results = {}
    for name, (make, optimiser, loss, _) in CASES.items():
        if party.world_size == 3 and name != "dense, sgd":
            continue
        torch.manual_seed(party.rank)
        model = make() if party.rank == 0 else make().apply(_other)
        truth = labels(y, model)
        shared_x = party.secret(x if party.rank == 0 else None, owner=0, size=x.shape)
        shared_y = party.secret(truth if party.rank == 0 else None, owner=0, size=truth.shape)
        network = fit(Network.share(party, model, owner=0), shared_x, shared_y, optimiser(), loss)
        results[name] = [
            network.reveal(party, to=["party-1"]),
            party.reveal(network.scores(shared_x[:5])),
            party.reveal(network.score(shared_x, shared_y)),
        ]
    return results


def _other(layer: nn.Module) -> None:
    """Weights of one's own, which must not count where another party owns the start."""
    if isinstance(layer, nn.Linear):
        nn.init.ones_(layer.weight)


@pytest.mark.parametrize("parties", [2, 3])
def test_secret_network_takes_the_steps_of_the_twin(parties: int) -> None:
    results = mpc.run_local(secure, parties)
    x, y = digits()
    for name, (nothing, scores, accuracy) in results[0].items():
        exact = twin(name)
        assert nothing is None, "revealed to the second party only"
        revealed = results[1][name][0]
        assert distance(revealed, exact.in_the_clear()) < CASES[name][3], name
        assert (scores - exact.scores(x[:5])).abs().max() < 10 * CASES[name][3], name
        assert (revealed(x[:5]) - scores).abs().max() < 0.01, name
        truth = labels(y, exact.in_the_clear())
        assert abs(float(accuracy) - float(exact.score(x, truth))) <= 1.5 / ROWS, name
    assert set(results[0]) == (set(CASES) if parties == 2 else {"dense, sgd"})


def test_a_network_stops_when_held_out_rows_get_no_better() -> None:
    """Their labels are swapped, so that training makes the score on them worse after the first check."""
    x, y = digits()
    wrong = y[:20].roll(1, dims=1)
    network = Network(dense())
    early = EarlyStop(x[:20], wrong, patience=2, check_every=5)
    network.fit(x, y, optimiser=sgd(), steps=500, batch_size=None, stop=early)
    kept = Network(dense()).fit(x, y, optimiser=sgd(), steps=5, batch_size=None, schedule="constant")
    assert distance(network.in_the_clear(), kept.in_the_clear()) == 0.0
    r2 = EarlyStop(x[:20], y[:20], patience=1, check_every=2, tol=10.0)
    stopped = Network(dense()).fit(x, y, optimiser=sgd(), loss="mse", steps=500, batch_size=None, stop=r2)
    twice = Network(dense()).fit(x, y, optimiser=sgd(), loss="mse", steps=2, batch_size=None)
    assert distance(stopped.in_the_clear(), twice.in_the_clear()) == 0.0


def test_predictions_of_the_twin() -> None:
    x, _ = digits()
    network = twin("dense, sgd")
    model = network.in_the_clear()
    assert (network.predict(x)[:, 0] == model(x).argmax(dim=1)).all()
    assert torch.allclose(network.predict_proba(x), model(x).softmax(dim=1))
    single = twin("normed")
    assert (single.predict(x) == (single.in_the_clear()(x) > 0)).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(2, 1), "a torch.nn.Sequential was expected, got a Linear"),
        (nn.Sequential(nn.Linear(2, 2), nn.GELU()), "layer 1 is a GELU; there are Linear, Conv2d"),
        (nn.Sequential(nn.Conv2d(2, 2, 3, groups=2)), r"must have groups=1, got 2"),
        (nn.Sequential(nn.Conv2d(2, 2, 3, padding="same")), "must have its padding in numbers"),
        (nn.Sequential(nn.MaxPool2d(3, padding=1)), r"layer 0 \(MaxPool2d\) must have padding=0, got 1"),
        (nn.Sequential(nn.ReLU()), "the network has no parameters to train"),
    ],
    ids=str,
)
def test_other_networks_are_refused(model: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Network(model)


def test_misuse_is_refused() -> None:
    x, y = digits()
    with pytest.raises(ValueError, match=r"loss must be one of .* got 'hinge'"):
        Network(dense()).fit(x, y, optimiser=SGD(), loss="hinge")
    with pytest.raises(ValueError, match=r"y of shape \(40, outputs\) was expected, got \(3, 10\)"):
        Network(dense()).fit(x, y[:3], optimiser=SGD())
    with pytest.raises(ValueError, match=r"the network gives \(32, 10\) for labels of \(32, 1\)"):
        Network(dense()).fit(x, y[:, :1], optimiser=SGD())
    with pytest.raises(ValueError, match="to must be a list of the parties"):
        Network(dense()).reveal(None, to="party-0")  # type: ignore[arg-type]
    for settings in ({"learning_rate": 0}, {"momentum": 1}, {"l2": 1e-6}):
        with pytest.raises(ValueError, match="were expected, got"):
            SGD(**settings)
    with pytest.raises(ValueError, match="were expected, got"):
        Adam(betas=(0.9, 1.0))
    assert "weight" not in repr(twin("dense, sgd"))
    assert np.isfinite(float(twin("dense, sgd").score(x, y)))
