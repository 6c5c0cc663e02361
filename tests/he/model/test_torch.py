from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as everybody calls it

from he.model.graph import Graph
from he.model.torch import read, recognises


class Lambda(nn.Module):
    """Any function as a module that the trace opens."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)  # type: ignore[no-any-return]


def expect_equal(net: nn.Module, shape: tuple[int, ...], seed: int = 0) -> Graph:
    """The graph read from the network gives what the network gives, on samples it was not read with."""
    x = np.random.default_rng(seed).normal(size=(4, *shape))
    graph, _ = read(net, x[:1])
    with torch.no_grad():
        theirs = net.double().eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(graph(x).reshape(theirs.shape), theirs, rtol=0, atol=1e-10)
    return graph


def settled(norm: Any) -> Any:
    """Batch norm with statistics that are not those of its start."""
    for parameter in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        parameter.data.uniform_(0.5, 2)
    return norm


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_convolutions(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    groups, axes = draw(1, 3), draw(1, 2)
    pair = tuple(draw(1, 2) for _ in range(axes))
    same = data.draw(st.booleans())
    layer = (nn.Conv1d, nn.Conv2d)[axes - 1](
        groups * draw(1, 2),
        groups * draw(1, 2),
        tuple(draw(1, 3) for _ in range(axes)),  # type: ignore[arg-type]
        1 if same else pair,  # type: ignore[arg-type]
        "same" if same else tuple(draw(0, 2) for _ in range(axes)),  # type: ignore[arg-type]
        dilation=pair,  # type: ignore[arg-type]
        groups=groups,
        bias=data.draw(st.booleans()),
    )
    expect_equal(layer, (layer.in_channels, *(draw(5, 8) for _ in range(axes))), draw(0, 99))


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_average_pooling(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    axes, kernel = draw(1, 2), draw(2, 4)
    pool = (nn.AvgPool1d, nn.AvgPool2d)[axes - 1](
        kernel,
        draw(1, 3),
        draw(0, kernel // 2),
        ceil_mode=data.draw(st.booleans()),
        count_include_pad=data.draw(st.booleans()),
    )
    expect_equal(pool, (draw(1, 3), *(draw(5, 9) for _ in range(axes))), draw(0, 99))


@settings(deadline=None, max_examples=20)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    outputs=st.integers(1, 4),
    bias=st.booleans(),
)
def test_linear_layers_on_any_axes(shape: list[int], outputs: int, bias: bool) -> None:
    expect_equal(nn.Linear(shape[-1], outputs, bias), tuple(shape))


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (settled(nn.BatchNorm1d(3)), (3,)),
        (settled(nn.BatchNorm1d(3)), (3, 5)),
        (settled(nn.BatchNorm2d(3)), (3, 4, 5)),
        (nn.BatchNorm2d(3, affine=False), (3, 4, 5)),
        (nn.AdaptiveAvgPool2d((2, None)), (3, 4, 5)),
        (nn.AdaptiveAvgPool2d(1), (3, 4, 5)),
        (nn.AdaptiveAvgPool1d(3), (2, 6)),
        (nn.AvgPool2d(2, divisor_override=3), (2, 4, 4)),
        (nn.ZeroPad2d((1, 2, 0, 3)), (2, 3, 4)),
        (nn.Sequential(nn.Flatten(), nn.Unflatten(1, (2, 6)), nn.Linear(6, 2)), (3, 4)),
        (nn.Sequential(nn.PixelShuffle(2), nn.Identity(), nn.Dropout(0.5)), (4, 2, 3)),
        *((module, (3, 4)) for module in (nn.ReLU(inplace=True), nn.GELU(), nn.SiLU(), nn.Sigmoid())),
        *((module, (3, 4)) for module in (nn.Tanh(), nn.Softplus(), nn.Softplus(beta=2.5))),
    ],
    ids=str,
)
def test_modules(net: nn.Module, shape: tuple[int, ...]) -> None:
    expect_equal(nn.Sequential(nn.Identity(), net), shape)


def in_place(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    y.add_(1)
    return y


BIAS = torch.linspace(-1, 1, 4, dtype=torch.float64)
FUNCTIONS: dict[str, Any] = {
    "square": torch.square,
    "times itself": lambda x: x * x,
    "power": lambda x: x**2 + x.pow(3) - torch.pow(x, 4),
    "horner": lambda x: 0.5 + x * (0.25 - x * (1 + 0.1 * x)),
    "constants": lambda x: (2 - x) / 3 + BIAS - 1 + torch.add(x, BIAS, alpha=2) - torch.sub(x, 1, alpha=3),
    "residual": lambda x: torch.add(x, torch.square(x), alpha=0.5) - (-x),
    "repeated": lambda x: x + x.mean(-1, keepdim=True),
    "products": lambda x: x * torch.sigmoid(x) + F.silu(x) * x,
    "concat": lambda x: torch.cat([x, x * 2, x], dim=-1) + torch.cat((x, x, x), 2),
    "concat in front": lambda x: torch.cat([x, -x], 1),
    "reshape": lambda x: x.view(x.size(0), -1).reshape(-1, 2, 6).flatten(1),
    "permute": lambda x: x.permute(0, 2, 1).transpose(1, 2).unsqueeze(1).squeeze(1).flip(1),
    "shape": lambda x: torch.flatten(x, 1).view(x.shape[0], 4, 3).contiguous(),
    "slice": lambda x: x[:, 1:, ::2] + x[:, :2, 0:3:2],
    "one score": lambda x: x.flatten(1).sum(1),
    "sums": lambda x: x.sum(1) + torch.mean(x, dim=(1,)) + x.mean([1, 2], keepdim=True).squeeze(1),
    "activations": lambda x: F.relu(x) + F.gelu(x) + x.tanh() + F.softplus(x) + x.relu() + torch.relu(x),
    "matrix": lambda x: F.linear(x, BIAS.repeat(2, 1)) @ torch.ones(2, 3, dtype=torch.float64),
    "dropout": lambda x: 2 * F.dropout(x, training=False),
    "pad": lambda x: F.pad(x, (1, 2)),
    "pool": lambda x: F.avg_pool1d(x, 2) + F.adaptive_avg_pool1d(x, 2),
    "images": lambda x: F.avg_pool2d(F.adaptive_avg_pool2d(x.unsqueeze(1), (3, 2)), 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    expect_equal(Lambda(FUNCTIONS[name]), (3, 4))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1), settled(nn.BatchNorm2d(4))
        self.second, self.head = nn.Conv2d(4, 4, 3, padding="same"), nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.first(x)))
        x = x + self.second(x)
        return F.log_softmax(self.head(F.adaptive_avg_pool2d(x, 1).flatten(1)), dim=1)


def test_a_residual_network_with_its_layers_names() -> None:
    net = Residual().double().eval()
    x = np.random.default_rng(3).normal(size=(6, 3, 8, 8))
    graph, classes = read(net, x)
    assert list(classes) == [0, 1, 2, 3, 4]
    with torch.no_grad():
        theirs = net(torch.from_numpy(x)).numpy()
    ours = graph(x)
    np.testing.assert_allclose(ours - np.log(np.exp(ours).sum(1, keepdims=True)), theirs, rtol=0, atol=1e-12)
    names = [node.name for node in graph.nodes]
    assert names[:3] == ["first (Conv2d)", "norm (BatchNorm2d)", "relu (relu)"]


@pytest.mark.parametrize("last", [nn.Softmax(1), nn.LogSoftmax(-1), Lambda(lambda x: torch.argmax(x, 1))])
def test_the_order_of_scores_needs_no_softmax(last: nn.Module) -> None:
    net = nn.Sequential(nn.Linear(3, 4), last).double()
    x = np.random.default_rng(0).normal(size=(9, 3))
    graph, _ = read(net, x)
    np.testing.assert_allclose(graph(x), net[0](torch.from_numpy(x)).detach().numpy(), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.MaxPool2d(2), r"1 \(MaxPool2d\) cannot be read, expected average pooling"),
        (Lambda(lambda x: F.max_pool2d(x, 2)), r"max_pool2d.* cannot be read, expected average pooling"),
        (nn.PReLU(), r"1 \(PReLU\) cannot be read, expected linear layers, convolutions"),
        (nn.LayerNorm(4), r"1 \(LayerNorm\) cannot be read, expected batch norm"),
        (
            nn.Sequential(nn.Softmax(1), nn.Flatten()),
            r"1.0 \(Softmax\) cannot be read, expected it to be last",
        ),
        (nn.GELU("tanh"), "approximate='none', not 'tanh'"),
        (nn.Softplus(threshold=3), "a threshold of 20 or more, not 3"),
        (nn.AdaptiveAvgPool2d(3), r"output sizes that divide \(4, 4\), not \(3, 3\)"),
        (nn.BatchNorm2d(2, track_running_stats=False), "expected running statistics"),
        (nn.Conv2d(2, 1, 3, padding=1, padding_mode="circular"), "padding_mode='zeros', not 'circular'"),
        (Lambda(lambda x: x / x.mean(1, keepdim=True)), "expected a constant divisor"),
        (Lambda(lambda x: torch.cat([x, x])), "another axis than the batch's"),
        (Lambda(lambda x: x - x.mean(0)), "expected axes of one sample"),
        (Lambda(lambda x: x.reshape(1, -1)), "expected the batch first"),
        (
            Lambda(lambda x: F.dropout(x)),
            r"dropout \(dropout\) is random, .* make it depend on self.training",
        ),
        (Lambda(lambda x: F.dropout(x, 0.0)), "expected training=self.training"),
        (Lambda(lambda x: x if x.sum() > 0 else -x), "cannot be traced"),
        (Lambda(lambda x: (x, x)), "expected that alone"),
    ],
)
def test_what_has_no_counterpart_is_named(net: nn.Module, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read(nn.Sequential(nn.Identity(), net), np.ones((2, 2, 4, 4)))


@pytest.mark.parametrize(
    ("net", "samples", "message"),
    [
        (nn.Conv2d(1, 1, 3), None, "no samples given, expected some"),
        (nn.Linear(3, 2), np.ones(3), r"samples have shape \(3,\), expected \(count"),
        (nn.Linear(3, 2), np.ones((0, 3)), r"samples have shape \(0, 3\)"),
        (nn.Linear(3, 2), np.full((2, 3), np.nan), "samples hold NaN"),
        (nn.Linear(3, 2), np.ones((2, 4)), r"\(Linear\): samples \(3, 4\): .*shapes cannot be multiplied"),
        (Lambda(lambda x: x**0.5), np.ones((2, 4)), "the power 0.5 given, expected a whole number"),
        (nn.Identity(), np.ones((2, 4)), "the network gives back its input"),
        (Lambda(in_place), np.ones((2, 4)), "the graph read from the network differs"),
    ],
)
def test_what_does_not_fit_is_refused(net: nn.Module, samples: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(net, samples)


def test_modules_are_recognised() -> None:
    assert recognises(nn.Linear(1, 1))
    assert recognises(Residual())
    assert not recognises([])


def test_a_network_that_starts_with_linear_needs_no_samples() -> None:
    graph, classes = read(nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1)))
    assert graph.input_shape == (5,)
    assert list(classes) == [0, 1]
