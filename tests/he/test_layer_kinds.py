"""Every layer kind on random shapes: compiled, it gives what torch gives, in the clear and encrypted."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import he

SPEC = he.CkksSpec(log_n=11, depth=9, special=2, insecure=True)
COUNT = 40  # samples: enough to fit ranges of activations
Draw: TypeAlias = Callable[[int, int], int]
Kind: TypeAlias = tuple[nn.Module, tuple[int, ...]]  # and the shape of one sample


class Lambda(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)  # type: ignore[no-any-return]


def image(draw: Draw, channels: int | None = None) -> tuple[int, ...]:
    return (channels or draw(1, 3), draw(4, 7), draw(4, 7))


def convolution(draw: Draw) -> Kind:
    groups = draw(1, 2)
    channels = groups * draw(1, 2)
    layer = nn.Conv2d(
        channels,
        groups * draw(1, 2),
        (draw(1, 3), draw(1, 3)),
        (draw(1, 2), draw(1, 2)),
        (draw(0, 1), draw(0, 1)),
        1 if draw(0, 1) else (draw(1, 2), 1),
        groups,
        bool(draw(0, 1)),
    )
    return layer, (channels, draw(5, 7), draw(5, 7))


def convolution_of_signals(draw: Draw) -> Kind:
    channels, kernel = draw(1, 3), draw(1, 4)
    layer = nn.Conv1d(channels, draw(1, 3), kernel, draw(1, 3), draw(0, kernel // 2), draw(1, 2))
    return layer, (channels, draw(8, 12))


def batch_norm(draw: Draw) -> Kind:
    shape = (draw(1, 4), draw(2, 5), draw(2, 5))[: draw(1, 3)]
    norm = (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0])
    for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert part is not None
        part.data.uniform_(0.5, 2)
    return norm, shape


def pool(draw: Draw) -> Kind:
    kernel = draw(2, 3)
    layer = nn.AvgPool2d(kernel, draw(1, 3), draw(0, kernel // 2), bool(draw(0, 1)), bool(draw(0, 1)))
    return layer, image(draw)


def linear(draw: Draw) -> Kind:
    shape = tuple(draw(1, 4) for _ in range(draw(1, 3)))
    return nn.Linear(shape[-1], draw(1, 5)), shape


def on_images(*functions: Any) -> Callable[[Draw], Kind]:
    def kind(draw: Draw) -> Kind:
        return Lambda(functions[draw(0, len(functions) - 1)]), image(draw, 2)

    return kind


def activation(module: nn.Module) -> Callable[[Draw], Kind]:
    def kind(draw: Draw) -> Kind:
        inputs, hidden = draw(2, 8), draw(2, 8)
        return nn.Sequential(nn.Linear(inputs, hidden), module), (inputs,)

    return kind


KINDS: dict[str, Callable[[Draw], Kind]] = {
    "linear": linear,
    "conv2d": convolution,
    "conv1d": convolution_of_signals,
    "batch norm": batch_norm,
    "average pool": pool,
    "sums and means": on_images(
        lambda x: x.sum(2), lambda x: x.mean((2, 3)), lambda x: x.sum(1, keepdim=True)
    ),
    "moves": on_images(
        lambda x: x.permute(0, 3, 1, 2), lambda x: x.flatten(2)[:, :, 1:], lambda x: x.flip(2)
    ),
    "residual": on_images(lambda x: x + 2 * x.flip(3), lambda x: x - x.mean(1, keepdim=True)),
    "concat": on_images(lambda x: torch.cat([x, -x], 1), lambda x: torch.cat([x[..., :2], x], 3)),
    "square": on_images(torch.square, lambda x: x * x),
    "polynomial": on_images(lambda x: x**3, lambda x: 1 + x * (2 - x * (1 + 0.5 * x))),
    "product": on_images(lambda x: x * x.flip(2)),
    "pad": on_images(lambda x: nn.functional.pad(x, (1, 0, 0, 2))),
    "identity": on_images(nn.Identity(), nn.Dropout()),
    **{
        type(module).__name__: activation(module)
        for module in (nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Tanh(), nn.Softplus())
    },
}


def compiled(name: str, draw: Draw) -> tuple[he.Model, nn.Module, Any]:
    """(model, what it has to give, samples): three scores of whatever the layer gives."""
    torch.manual_seed(draw(0, 999))
    layer, shape = KINDS[name](draw)
    x = np.random.default_rng(draw(0, 999)).normal(size=(COUNT, *shape))
    layer = layer.double().eval()
    width = layer(torch.tensor(x[:1])).numel()
    net: Any = nn.Sequential(layer, nn.Flatten(), nn.Linear(width, 3).double()).eval()
    if isinstance(layer, nn.Sequential):
        net = he.polynomialise(net, x, degree=7)
    return he.compile(net, samples=x, spec=SPEC), net, x


def expect_equal(model: he.Model, net: nn.Module, x: Any) -> None:
    with torch.no_grad():
        theirs = net(torch.tensor(x)).numpy()
    np.testing.assert_allclose(
        model.predict_clear(x), theirs, rtol=0, atol=2**-20 * (1 + np.abs(theirs).max())
    )


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_clear(name: str, data: st.DataObject) -> None:
    expect_equal(*compiled(name, lambda low, high: data.draw(st.integers(low, high))))


@pytest.mark.parametrize("name", KINDS)
def test_encrypted(name: str) -> None:
    """One shape of each kind, drawn from a fixed seed; the plan's bound holds."""
    rng = np.random.default_rng(7)
    model, net, x = compiled(name, lambda low, high: int(rng.integers(low, high + 1)))
    expect_equal(model, net, x)
    client = he.Client(model.plan, engine="native")
    scores = client.decrypt(he.Server(model, client.evaluation_keys()).predict(client.encrypt(x[:3])))
    assert np.abs(scores - model.predict_clear(x[:3])).max() < model.predicted_error(x[:3])
