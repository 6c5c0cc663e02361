from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everybody calls it

import he
from he.model.read import read
from he.model.replacement import relative_error
from he.model.trainable import Trainable

X = np.random.default_rng(0).normal(size=(128, 1, 8, 8)).astype(np.float32)
Y = (X.mean((1, 2, 3)) > 0).astype(int) + (X[:, 0, 0, 0] > 0)


class Net(nn.Module):
    """One relu module twice, a function, a silu as a product, a softplus with a beta, batch norm, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(1, 3, 3, stride=2), nn.BatchNorm2d(3), nn.ReLU()
        self.inner, self.soft = nn.Linear(27, 8), nn.Softplus(beta=2.0)
        self.drop, self.last = nn.Dropout(0.1), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.conv(x))).flatten(1)
        x = self.drop(self.inner(x))
        x = self.relu(x) + F.gelu(x) + x * torch.sigmoid(x) + self.soft(x)
        return F.log_softmax(self.last(torch.tanh(x)), 1)


@pytest.fixture(scope="module")
def net() -> Any:
    torch.manual_seed(0)
    return Net().train()


@pytest.fixture(scope="module")
def poly(net: Any) -> Any:
    return he.polynomialise(net, X, degree=15)


def test_activations_become_trainable_polynomials_and_all_else_stays(net: Any, poly: Any) -> None:
    found = [module for module in poly.modules() if isinstance(module, Trainable)]
    assert sorted(module.approximates for module in found) == [
        "gelu",
        "relu",
        "relu",
        "silu",
        "softplus",
        "tanh",
    ]
    assert not any(isinstance(module, nn.ReLU | nn.Softplus) for module in poly.modules())
    assert poly.training
    assert {name for name, _ in net.named_parameters()} < {name for name, _ in poly.named_parameters()}
    assert all(parameter.dtype == torch.float32 for parameter in poly.parameters())
    x = torch.tensor(X)
    with torch.no_grad():
        theirs, ours = net.eval()(x).numpy(), poly.eval()(x).numpy()
    net.train(), poly.train()
    assert relative_error(ours, theirs) < 0.05
    assert he.compile(poly, samples=X).predict_clear(X).shape == (128, 3)


def test_fine_tuning_pays_and_what_was_trained_is_compiled() -> None:
    """Full batches and a fixed seed: nothing here is left to chance."""
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3), nn.LogSoftmax(1)
    )
    poly = he.polynomialise(net, X, degree=3)
    x, y = torch.tensor(X), torch.tensor(Y)
    start = F.nll_loss(poly.eval()(x), y).item()
    coefficients = [p.detach().clone() for name, p in poly.named_parameters() if "polynomial" in name]
    optimiser = torch.optim.Adam(poly.parameters(), lr=3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss = F.nll_loss(poly(x), y)
        loss.backward()
        optimiser.step()
    assert F.nll_loss(poly.eval()(x), y).item() < 0.9 * start
    trained = [p.detach() for name, p in poly.named_parameters() if "polynomial" in name]
    assert all((a != b).all() for a, b in zip(coefficients, trained, strict=True))
    with torch.no_grad():
        exact = poly.double()(torch.tensor(X, dtype=torch.float64)).numpy()
    for scores, tolerance in (
        (read(poly, X)[0](X), 1e-9),
        (he.compile(poly, samples=X, scale_bits=40).predict_clear(X), 1e-6),
    ):
        chances = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        np.testing.assert_allclose(chances, exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize("last", [nn.ReLU(), nn.Softplus(-0.5), nn.GELU()], ids=str)
def test_an_activation_at_the_end_or_alone(last: nn.Module) -> None:
    torch.manual_seed(2)
    x = np.random.default_rng(1).normal(size=(64, 4))
    for net in (last, nn.Sequential(nn.Linear(4, 3), last).double()):
        poly = he.polynomialise(net, x, degree=31).double()
        ours, exact = (module(torch.tensor(x)).detach().numpy() for module in (poly, net))
        assert relative_error(ours, exact) < 0.05
        np.testing.assert_allclose(read(poly, x)[0](x), ours, rtol=0, atol=1e-9)


def test_a_last_sigmoid_stays_for_the_loss() -> None:
    poly = he.polynomialise(
        nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1), nn.Sigmoid()), X[:, 0, 0, :4]
    )
    assert [type(module).__name__ for module in poly.modules()].count("Sigmoid") == 1
    assert [module.approximates for module in poly.modules() if isinstance(module, Trainable)] == ["tanh"]


def test_what_cannot_be_replaced_is_refused() -> None:
    with pytest.raises(TypeError, match="list given, expected a torch module"):
        he.polynomialise([], X)
    with pytest.raises(ValueError, match="Linear has no activation, expected one that a polynomial"):
        he.polynomialise(nn.Linear(4, 2), np.ones((40, 4)))
    with pytest.raises(ValueError, match="8 samples given, expected at least 32 to fit the range of"):
        he.polynomialise(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), np.ones((8, 4)))
    with pytest.raises(TypeError, match=r"MaxPool1d.* cannot be read"):
        he.polynomialise(nn.Sequential(nn.MaxPool1d(2), nn.ReLU()), np.ones((40, 4, 4)))
