import numpy as np
import pytest
import torch
from torch import nn

from he.model.layers import Dense
from he.model.nonlinear import Square
from he.model.torch import read, recognises


class Squared(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**2


class Cubed(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x**3


def test_a_network_of_squares_is_read() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(), Squared(), nn.Sequential(nn.Linear(3, 2, bias=False)))
    net.double().eval()
    layers = read(net)
    assert [type(layer) for layer in layers] == [Dense, Square, Dense]
    x = np.random.default_rng(0).normal(size=(5, 4))
    y = x
    for layer in layers:
        y = layer(y)
    np.testing.assert_allclose(y, net(torch.from_numpy(x)).detach().numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("module", [nn.ReLU(), Cubed(), nn.Conv2d(1, 1, 1), nn.PReLU()])
def test_what_is_no_square_is_named(module: nn.Module) -> None:
    with pytest.raises(TypeError, match=f"module {type(module).__name__} given, expected"):
        read(nn.Sequential(nn.Linear(2, 2), module))


def test_modules_are_recognised() -> None:
    assert recognises(nn.Linear(1, 1))
    assert recognises(Squared())
    assert not recognises([])
