"""Checks of crypten.nn: every layer against torch's with the same weights, models from torch, losses, SGD."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import torch
from checking import UNIT, Table, close, grid, share

LAYERS = Table()
nn = torch.nn

IMAGE = grid(2, 3, 8, 8, seed=1, low=-2, high=2)
TABLE = grid(4, 6, seed=2, low=-2, high=2)
VOLUME = grid(2, 3, 4, 4, 2, seed=3, low=-2, high=2)


def twins(name: str, torch_layer: Any, crypten_layer: Any, x: torch.Tensor, bound: float) -> None:
    """A layer of CrypTen's with the weights of torch's, in evaluation, and back again."""

    def run(crypten: Any) -> None:
        torch.manual_seed(1)
        layer = torch_layer().double().eval()
        own = crypten_layer(crypten.nn).eval()
        for key, value in layer.named_parameters():
            own.set_parameter(key, value.detach().float().clone())
        expected = layer(x)
        own.encrypt(src=0)
        close(own(crypten.cryptensor(x)), expected, bound)
        own.decrypt()
        for key, value in layer.named_parameters():
            close(getattr(own, key), value, UNIT)

    LAYERS[f"layer {name}"] = run


# A sum of up to 27 products with weights rounded to a unit, of inputs up to two.
WEIGHTS = 60 * UNIT
twins("Linear", lambda: nn.Linear(6, 3), lambda c: c.Linear(6, 3), TABLE, WEIGHTS)
twins(
    "Linear without bias",
    lambda: nn.Linear(6, 3, bias=False),
    lambda c: c.Linear(6, 3, bias=False),
    TABLE,
    WEIGHTS,
)
twins(
    "Conv1d",
    lambda: nn.Conv1d(3, 4, 3, padding=1),
    lambda c: c.Conv1d(3, 4, 3, padding=1),
    IMAGE[:, :, 0],
    WEIGHTS,
)
twins("Conv2d", lambda: nn.Conv2d(3, 4, 3, stride=2), lambda c: c.Conv2d(3, 4, 3, stride=2), IMAGE, WEIGHTS)
twins("ReLU", nn.ReLU, lambda c: c.ReLU(), IMAGE, UNIT)
twins("ReLU6", nn.ReLU6, lambda c: c.ReLU6(), 3 * IMAGE, 3 * UNIT)
twins("Hardtanh", nn.Hardtanh, lambda c: c.Hardtanh(), IMAGE, 3 * UNIT)
twins("Sigmoid", nn.Sigmoid, lambda c: c.Sigmoid(), IMAGE, 0.01)
twins("Softmax", lambda: nn.Softmax(1), lambda c: c.Softmax(1), TABLE, 0.02)
twins("LogSoftmax", lambda: nn.LogSoftmax(1), lambda c: c.LogSoftmax(1), TABLE, 0.08)
twins("AvgPool2d", lambda: nn.AvgPool2d(2), lambda c: c.AvgPool2d(2), IMAGE, 2 * UNIT)
twins("MaxPool2d", lambda: nn.MaxPool2d(2), lambda c: c.MaxPool2d(2), IMAGE, 4 * UNIT)
twins(
    "AdaptiveAvgPool2d",
    lambda: nn.AdaptiveAvgPool2d(2),
    lambda c: c.AdaptiveAvgPool2d((2, 2)),
    IMAGE,
    4 * UNIT,
)
twins(
    "AdaptiveMaxPool2d",
    lambda: nn.AdaptiveMaxPool2d(2),
    lambda c: c.AdaptiveMaxPool2d((2, 2)),
    IMAGE,
    16 * UNIT,
)
twins("GlobalAveragePool", lambda: nn.AdaptiveAvgPool2d(1), lambda c: c.GlobalAveragePool(), IMAGE, 4 * UNIT)
for size, x in [(1, IMAGE[:, :, 0]), (2, IMAGE), (3, VOLUME)]:
    name = f"BatchNorm{size}d"
    twins(name, lambda name=name: getattr(nn, name)(3), lambda c, name=name: getattr(c, name)(3), x, 0.02)
    name = f"ConstantPad{size}d"
    twins(
        name,
        lambda name=name: getattr(nn, name)(1, 0.5),
        lambda c, name=name: getattr(c, name)(1, 0.5),
        x,
        UNIT,
    )
twins("Dropout", nn.Dropout, lambda c: c.Dropout(), TABLE, 0.0)
twins("Dropout2d", nn.Dropout2d, lambda c: c.Dropout2d(), IMAGE, 0.0)
twins("Dropout3d", nn.Dropout3d, lambda c: c.Dropout3d(), VOLUME, 0.0)
twins("Flatten", nn.Flatten, lambda c: c.Flatten(), IMAGE, 0.0)
twins(
    "Sequential",
    lambda: nn.Sequential(nn.ReLU(), nn.Flatten()),
    lambda c: c.Sequential(c.ReLU(), c.Flatten()),
    IMAGE,
    UNIT,
)


@LAYERS.add
def layers_of_graphs(crypten: Any) -> None:
    """The layers that models read from torch consist of."""
    c = crypten.nn
    x, y, p = share(crypten, [TABLE, TABLE + 0.5, TABLE.abs() + 0.5])
    clear = TABLE + 0.5, TABLE.abs() + 0.5
    shape = torch.tensor([6, 4])
    for layer, inputs, expected, bound in [
        (c.Add(), [x, y], TABLE + clear[0], 0.0),
        (c.Sub(), [x, y], TABLE - clear[0], 0.0),
        (c.Mul(), [x, y], TABLE * clear[0], UNIT),
        (c.Div(), [x, p], TABLE / clear[1], 64 * UNIT),
        (c.Pow(), [x, torch.tensor(2)], TABLE**2, UNIT),
        (c.Sqrt(), p, clear[1].sqrt(), 0.02),
        (c.Exp(), x, TABLE.exp(), 0.1),
        (c.Erf(), x / 2, torch.erf(TABLE / 2), 0.01),
        (c.Mean([1]), x, TABLE.mean(1), 2 * UNIT),
        (c.Sum([0], keepdim=True), x, TABLE.sum(0, keepdim=True), 0.0),
        (c.Transpose([1, 0]), x, TABLE.t(), 0.0),
        (c.Unsqueeze(1), x, TABLE.unsqueeze(1), 0.0),
        (c.Squeeze(1), x.unsqueeze(1), TABLE, 0.0),
        (c.Slice([1, 0], [3, 2]), x, TABLE[1:3, :2], 0.0),
        (c.Expand(), [x[:1], torch.tensor([4, 6])], TABLE[:1].expand(4, 6), 0.0),
        (c.Cast(torch.float), x, TABLE, 0.0),
        (c.Equal(), [x, x], torch.ones(4, 6), 0.0),
        (c.Where(), [TABLE > 0, x, y], torch.where(TABLE > 0, TABLE, clear[0]), 0.0),
        (c.Shape(), x, torch.tensor([4, 6]), 0.0),
        (c.Range(), [0, 6, 2], torch.tensor([0, 2, 4]), 0.0),
        (c.Concat(1), [x, y], torch.cat([TABLE, clear[0]], 1), 0.0),
        (c.Reshape(), [x, shape], TABLE.reshape(6, 4), 0.0),
        (c.Gather(1, torch.tensor([5, 0])), x, TABLE[:, [5, 0]], 0.0),
        (c.MatMul(), [x, x.t()], TABLE @ TABLE.t(), UNIT),
        (c.Constant(2.5), x, torch.tensor(2.5), 0.0),
        (c.ConstantOfShape(1.5), [2, 3], torch.full((2, 3), 1.5), 0.0),
        (c.Parameter(TABLE.float()), x, TABLE, UNIT),
        (
            c.Gemm(alpha=1.0, beta=1.0, trans_b=True),
            [x, y, p[:, 0]],
            TABLE @ clear[0].t() + clear[1][:, 0],
            UNIT,
        ),
    ]:
        try:
            close(layer.encrypt()(inputs), expected, bound)
        except Exception as error:
            raise AssertionError(f"{type(layer).__name__}: {error}") from error


@LAYERS.add
def containers(crypten: Any) -> None:
    """ModuleList, ModuleDict and Graph hold layers whose parameters are found, encrypted and decrypted."""
    c = crypten.nn
    layers = c.ModuleList([c.Linear(6, 3), c.ReLU()])
    named = c.ModuleDict({"first": c.Linear(6, 3), "second": c.ReLU()})
    assert len(list(layers.parameters())) == len(list(named.parameters())) == 2
    graph = c.Graph("x", "sum")
    graph.add_module("squashed", c.ReLU(), ["x"])
    graph.add_module("sum", c.Add(), ["x", "squashed"])
    (x,) = share(crypten, [TABLE])
    close(graph.encrypt()(x), TABLE + TABLE.relu(), UNIT)
    state = named["first"].state_dict()
    layers[0].load_state_dict(state)
    close(layers[0].weight, state["weight"].detach())


class Branches(nn.Module):
    """A model with what the exporter has to follow: views, sums of branches, constants, a functional pool."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.first, self.second = nn.Linear(64, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        x = self.first(x.view(x.size(0), -1))
        return self.second(torch.nn.functional.relu6(x) + 0.5 * x.clamp(-1, 1))


def models() -> dict[str, tuple[nn.Module, torch.Tensor, float]]:
    torch.manual_seed(2)
    return {
        "linear": (nn.Linear(6, 3), TABLE, WEIGHTS),
        "perceptron": (
            nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(1)),
            TABLE,
            0.02,
        ),
        "log_softmax": (nn.Sequential(nn.Linear(6, 3), nn.LogSoftmax(1)), TABLE, 0.08),
        "sigmoids": (
            nn.Sequential(nn.Linear(6, 4), nn.Sigmoid(), nn.Dropout(), nn.Linear(4, 2)),
            TABLE,
            0.02,
        ),
        "hardtanh": (nn.Sequential(nn.Linear(6, 4), nn.Hardtanh(-0.5, 0.5)), TABLE, WEIGHTS),
        "pools": (nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 2, 3), nn.Flatten()), IMAGE, WEIGHTS),
        "adaptive": (nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), IMAGE, 8 * UNIT),
        "one dimension": (nn.Sequential(nn.Conv1d(3, 2, 3), nn.ReLU()), IMAGE[:, :, 0], WEIGHTS),
        "padding": (nn.Sequential(nn.ConstantPad2d(1, 0.5), nn.Conv2d(3, 2, 3)), IMAGE, WEIGHTS),
        "branches": (Branches(), IMAGE, 0.02),
    }


for name in models():

    def read(crypten: Any, name: str = name) -> None:
        model, x, bound = models()[name]
        model.eval()
        expected = model(x.float())
        secret = crypten.nn.from_pytorch(model, torch.zeros_like(x, dtype=torch.float)).encrypt()
        close(secret(crypten.cryptensor(x)), expected, bound)
        # Back in the clear it is the same model.
        secret.decrypt()
        for key, value in secret.to_pytorch().named_parameters():
            close(value.detach(), dict(model.named_parameters())[key], UNIT)

    LAYERS[f"from_pytorch {name}"] = read


@LAYERS.add
def exporter_leaves_torch_alone(crypten: Any) -> None:
    assert torch.onnx.export.__module__.startswith("torch.")


@LAYERS.add
def models_that_train(crypten: Any) -> None:
    """Batch normalisation and dropout of a model read from torch do in training what they do there."""
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.ReLU())
    secret = crypten.nn.from_pytorch(model, torch.zeros(4, 6)).encrypt()
    before = [value.clone() for value in model.state_dict().values()]
    for one, other in zip(before, model.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    (x,) = share(crypten, [TABLE])
    # The four rows' inverse deviations carry the error of the inverse root.
    close(secret(x), model.train()(TABLE.float()), 0.05)
    assert not secret.eval()(x).requires_grad
    dropping = crypten.nn.from_pytorch(
        nn.Sequential(nn.Linear(6, 6), nn.Dropout(0.5)), torch.zeros(4, 6)
    ).encrypt()
    values = dropping.train()(x).get_plain_text()
    assert 0 < int((values == 0).sum()) < 24
    assert int((dropping.eval()(x).get_plain_text() == 0).sum()) < int((values == 0).sum())


@LAYERS.add
def losses_of_models(crypten: Any) -> None:
    target = grid(4, 6, seed=5, low=0.125, high=0.875)
    bits = (TABLE > 0).double()
    rows = nn.functional.one_hot(torch.tensor([0, 5, 2, 2]), 6).double()
    for loss, own, x, y, bound in [
        (nn.MSELoss(), crypten.nn.MSELoss(), TABLE, target, 12 * UNIT),
        (nn.L1Loss(), crypten.nn.L1Loss(), TABLE, target, 4 * UNIT),
        (nn.BCELoss(), crypten.nn.BCELoss(), target, bits, 0.1),
        (nn.BCEWithLogitsLoss(), crypten.nn.BCEWithLogitsLoss(), TABLE, bits, 0.1),
        (nn.CrossEntropyLoss(), crypten.nn.CrossEntropyLoss(), TABLE, rows, 0.1),
        (nn.CosineSimilarity(), crypten.nn.CosineSimilarity(), TABLE, target, 0.05),
    ]:
        leaf, secret = x.clone().requires_grad_(), crypten.cryptensor(x, requires_grad=True)
        expected, result = loss(leaf, y), own(secret, crypten.cryptensor(y))
        close(result.flatten(), expected.flatten(), bound)
        expected.sum().backward()
        result.sum().backward()
        close(secret.grad, leaf.grad, bound)


def train(model: Any, x: Any, y: Any, loss: Any, step: Any, steps: int) -> None:
    for _ in range(steps):
        model.zero_grad()
        loss(model(x), y).backward()
        step()


@LAYERS.add
def sgd(crypten: Any) -> None:
    """Two steps of training by every variant of SGD, the weights near those in the clear."""
    x, y = TABLE, grid(4, 3, seed=6, low=-1, high=1)
    for options in [
        {},
        {"momentum": 0.5, "nesterov": True},
        {"momentum": 0.5, "dampening": 0.25, "weight_decay": 0.125},
    ]:
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
        secret = crypten.nn.from_pytorch(model, torch.zeros(4, 6)).encrypt().train()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.125, **options)
        own = crypten.optim.SGD(secret.parameters(), lr=0.125, **options)
        train(model, x.float(), y.float(), nn.MSELoss(), optimizer.step, 2)
        train(secret, *share(crypten, [x, y]), crypten.nn.MSELoss(), own.step, 2)
        secret.decrypt()
        for key, value in secret.to_pytorch().named_parameters():
            close(value.detach(), dict(model.named_parameters())[key].detach(), 2**6 * UNIT)


@LAYERS.add
def update_parameters(crypten: Any) -> None:
    """CrypTen's own step: no private comparison on every weight unless one asks for it."""
    layer = crypten.nn.Linear(6, 3)
    weight = layer.weight.detach().clone()
    layer.encrypt().train()
    (x,) = share(crypten, [TABLE])
    layer(x).sum().backward()
    communicator = crypten.communicator.get()
    before = communicator.rounds
    layer.update_parameters(0.5)
    assert communicator.rounds - before <= 2
    expected = weight.double() - 0.5 * TABLE.sum(0).expand(3, 6)
    close(layer.weight, expected, 2 * UNIT)
    layer.zero_grad()
    layer(x * 1000).sum().backward()
    layer.update_parameters(0.5, grad_threshold=1)
    close(
        layer.weight,
        torch.where(TABLE.sum(0).abs() * 1000 < 1, expected - 500 * TABLE.sum(0), expected),
        2 * UNIT,
    )


@LAYERS.add
def split_model_with_private_labels(crypten: Any) -> None:
    """crypten.nn.privacy: features and model at one party in the clear, secret labels of another."""
    communicator = crypten.communicator.get()
    rank, last = communicator.get_rank(), communicator.get_world_size() - 1
    torch.manual_seed(6)
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1))
    clear = copy.deepcopy(model)
    labels = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    privacy = importlib.import_module(crypten.nn.__name__ + ".privacy")
    with crypten.cfg.temp_override({"nn.dpsmpc.skip_loss_forward": False}):
        split = privacy.DPSplitModel(model if rank == 0 else None, 0, last)
        split(TABLE.float() if rank == 0 else None)
        loss = split.compute_loss(labels if rank == last else torch.zeros(4, 1))
        split.backward()
    expected = nn.functional.binary_cross_entropy_with_logits(clear(TABLE.float()), labels)
    close(loss.flatten(), expected.detach().flatten(), 0.1)
    expected.backward()
    if rank == 0:
        # The last layer's weights get their gradient; the layers before, one estimated from it.
        close(model[2].weight.grad, clear[2].weight.grad, 0.01)
        assert model[0].weight.grad is not None
