"""The networks that the benchmarks of encrypted inference run, trained once in about a minute and kept.

    python -m benchmarks.networks          # train all of them now; later runs find them

Weights lie in `$LATTICEWORK_CACHE`, else `~/.cache/latticework`, as NumPy archives. Shapes of mlp, lola and
lenet are those of Orion's examples (Ebel, Garimella and Reagen, ASPLOS 2025); batch norm stands before each
square, so that training keeps the squares small, and is folded into the layer before it when read.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SHARED = Path(__file__).parents[2] / "shared"
MNIST, CIFAR = SHARED / "data" / "mnist.npz", SHARED / "data" / "cifar10_test10k_train15k.npz"
LENET5 = SHARED / "weights" / "lenet5_fheon.npz"
SEED = 1
BATCH = 128


class Square(nn.Module):
    """x -> x^2."""

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        return x**2


class Residual(nn.Module):
    """x -> body(x) + x."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """The shape that `body` keeps."""
        total: Tensor = self.body(x) + x
        return total


def mlp() -> nn.Module:
    """784-128-128-10."""
    hidden = [nn.Linear(784, 128), nn.BatchNorm1d(128), Square()]
    hidden += [nn.Linear(128, 128), nn.BatchNorm1d(128), Square()]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 10))


def lola() -> nn.Module:
    """A convolution of 5 filters of 2 x 2, stride 2; 980-100-10."""
    first = [nn.Conv2d(1, 5, 2, stride=2), nn.BatchNorm2d(5), Square(), nn.Flatten()]
    return nn.Sequential(*first, nn.Linear(980, 100), nn.BatchNorm1d(100), Square(), nn.Linear(100, 10))


def lenet() -> nn.Module:
    """Convolutions of 32 and 64 filters of 5 x 5, stride 2; 3136-512-10."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 32), (32, 64)):
        convolution = nn.Conv2d(inputs, outputs, 5, stride=2, padding=2)
        layers += [convolution, nn.BatchNorm2d(outputs), Square()]
    layers += [nn.Flatten(), nn.Linear(3136, 512), nn.BatchNorm1d(512), Square(), nn.Linear(512, 10)]
    return nn.Sequential(*layers)


def cifar() -> nn.Module:
    """Colour images: two convolutions of 16 filters, a residual around the second, squares, pooling."""
    second = Residual(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)))
    first = [nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), Square()]
    return nn.Sequential(*first, second, Square(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(256, 10))


def lenet5() -> nn.Module:
    """LeNet-5 with ReLU and average pooling, with the weights of `../shared`."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 6), (6, 16)):
        layers += [nn.Conv2d(inputs, outputs, 5), nn.ReLU(), nn.AvgPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()]
    net, weights = nn.Sequential(*layers, nn.Linear(84, 10)), np.load(LENET5)
    linear = [layer for layer in net if isinstance(layer, nn.Conv2d | nn.Linear)]
    with torch.no_grad():
        for layer, name in zip(linear, ("Conv1", "Conv2", "FC1", "FC2", "FC3"), strict=True):
            layer.weight.copy_(torch.from_numpy(weights[f"{name}_weight"]))
            assert layer.bias is not None  # as made above
            layer.bias.copy_(torch.from_numpy(weights[f"{name}_bias"]))
    return net.eval()


@dataclass(frozen=True)
class Recipe:
    """How a network is made, and trained on a data set for some epochs."""

    make: Callable[[], nn.Module]
    data: Path
    epochs: int


RECIPES = {
    "mlp": Recipe(mlp, MNIST, 3),
    "lola": Recipe(lola, MNIST, 3),
    "lenet": Recipe(lenet, MNIST, 1),
    "cifar": Recipe(cifar, CIFAR, 4),
}


def images(path: Path, part: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(images (count, channels, rows, columns) of mean 0 and deviation 1, classes (count,)) of a data set.

    part: 'train' or 'test'.
    """
    data = np.load(path)
    x = data[f"x_{part}"] / 255.0
    shift, deviation = (0.1307, 0.3081) if path == MNIST else (0.4734, 0.2516)
    x = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray((x - shift) / deviation), data[f"y_{part}"].astype(np.int64)


def trained(name: str) -> nn.Module:
    """The network, from the cache or trained now."""
    recipe, path = RECIPES[name], cache() / f"{name}-{SEED}.npz"
    torch.manual_seed(SEED)
    net = recipe.make()
    if path.exists():
        stored = np.load(path)
        net.load_state_dict({key: torch.from_numpy(stored[key]) for key in stored.files})
    else:
        _train(net, recipe)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{key: value.numpy() for key, value in net.state_dict().items()})
    return net.eval()


def cache() -> Path:
    """Where trained weights are kept."""
    given = os.environ.get("LATTICEWORK_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "latticework"


def _train(net: nn.Module, recipe: Recipe) -> None:
    """Adam with a rate that falls to nothing, on random batches."""
    x, y = (torch.from_numpy(a) for a in images(recipe.data, "train"))
    x = x.float()
    steps = recipe.epochs * (len(x) // BATCH)
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    net.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(x))
        for at in range(0, len(x) - BATCH + 1, BATCH):
            chosen = order[at : at + BATCH]
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(net(x[chosen]), y[chosen])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()


def accuracy(net: nn.Module, path: Path) -> float:
    """Share of the test images that get their class."""
    x, y = images(path, "test")
    with torch.no_grad():
        return float((net(torch.from_numpy(x).float()).argmax(1).numpy() == y).mean())


def main(names: Sequence[str] = tuple(RECIPES)) -> None:
    """Train what is not there yet and print the accuracies."""
    for name in names:
        print(f"{name}: {100 * accuracy(trained(name), RECIPES[name].data):.2f} % of the test images")


if __name__ == "__main__":
    main()
