"""Training steps in CrypTen's own interface: the same program on plain CrypTen and on `mpc`.

The networks start from torch's seed, so that the same steps in torch say what the weights must be.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

RATE = 0.1


@dataclass(frozen=True)
class Course:
    """Layers by their name in torch.nn and crypten.nn, and the shapes of a batch."""

    layers: tuple[tuple[Any, ...], ...]
    batch: tuple[int, ...]
    outputs: int

    def model(self, nn: Any) -> Any:
        """From seed 0, with torch's layers or CrypTen's."""
        torch.manual_seed(0)
        return nn.Sequential(*(getattr(nn, name)(*sizes) for name, *sizes in self.layers))

    def data(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch, and its labels as 0 and 1 or one-hot."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(self.batch, generator=generator)
        drawn = torch.randint(max(self.outputs, 2), (self.batch[0],), generator=generator)
        one_column = self.outputs == 1
        return x, drawn.float().reshape(-1, 1) if one_column else torch.eye(self.outputs)[drawn]

    def loss(self, nn: Any) -> Any:
        """CrypTen's or torch's loss, whichever `nn` is: of one probability, one logit, or of one a class."""
        if self.layers[-1] == ("Sigmoid",):
            return nn.BCELoss()
        return nn.BCEWithLogitsLoss() if self.outputs == 1 else nn.CrossEntropyLoss()


COURSES = {
    "LR": Course((("Linear", 30, 1),), (64, 30), 1),
    "MLP": Course((("Linear", 64, 32), ("ReLU",), ("Linear", 32, 10)), (32, 64), 10),
    "CNN": Course(
        (("Conv2d", 1, 6, 3), ("ReLU",), ("AvgPool2d", 2), ("Flatten", 1), ("Linear", 54, 10)),
        (32, 1, 8, 8),
        10,
    ),
}
# Not in every comparison: `benchmarks.steps` has them.
MORE_COURSES = {
    "LR by sigmoid and BCELoss": Course((("Linear", 30, 1), ("Sigmoid",)), (64, 30), 1),
    "MLP 784-128-128-10": Course(
        (("Linear", 784, 128), ("ReLU",), ("Linear", 128, 128), ("ReLU",), ("Linear", 128, 10)),
        (128, 784),
        10,
    ),
    "LeNet 20/50/500": Course(
        (
            ("Conv2d", 1, 20, 5), ("ReLU",), ("MaxPool2d", 2),
            ("Conv2d", 20, 50, 5), ("ReLU",), ("MaxPool2d", 2), ("Flatten", 1),
            ("Linear", 800, 500), ("ReLU",), ("Linear", 500, 10),
        ),
        (128, 1, 28, 28),
        10,
    ),
}  # fmt: skip
ALL_COURSES = COURSES | MORE_COURSES


@dataclass(frozen=True)
class Step:
    """What one step took at one party, and the weights after it; bytes are sent and received together."""

    seconds_s: float
    rounds: int
    octets: int
    dealer_bytes: int
    weights: list[torch.Tensor]
    dealer_rounds: int = 0


def secure_steps(name: str) -> Callable[[Any], Callable[[], Step]]:
    """For a stage: `prepare(party)`, with None for the party on plain CrypTen."""

    def prepare(party: Any) -> Callable[[], Step]:
        crypten = importlib.import_module("crypten")
        course = ALL_COURSES[name]
        x, y = (crypten.cryptensor(part, src=0) for part in course.data())
        model, loss = course.model(crypten.nn).encrypt().train(), course.loss(crypten.nn)

        def train() -> None:
            value = loss(model(x), y)
            model.zero_grad()
            value.backward()
            model.update_parameters(RATE)

        def step() -> Step:
            _, spent = counted(party, train)
            weights = [parameter.get_plain_text().detach() for parameter in model.parameters()]
            return Step(**spent, weights=weights)

        return step

    return prepare


OPERATIONS: dict[str, Callable[..., Any]] = {
    "matrix_product": lambda x, y: x.matmul(y),
    "comparison": lambda x: x > 0,
}


def operands(name: str) -> list[torch.Tensor]:
    """Two matrices 32 x 32, or 256 numbers to compare with 0."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(32, 32), (32, 32)] if name == "matrix_product" else [(256,)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def secure_operation(name: str) -> Callable[[Any], Callable[[], Step]]:
    """As `secure_steps`: one operation on the same secrets each time, its result in place of the weights."""

    def prepare(party: Any) -> Callable[[], Step]:
        crypten = importlib.import_module("crypten")
        secrets = [crypten.cryptensor(each, src=0) for each in operands(name)]

        def step() -> Step:
            result, spent = counted(party, lambda: OPERATIONS[name](*secrets))
            return Step(**spent, weights=[result.get_plain_text()])

        return step

    return prepare


def clear_operation(name: str) -> torch.Tensor:
    """The operation in torch."""
    result: torch.Tensor = OPERATIONS[name](*operands(name))
    return result.float()


def clear_steps(name: str) -> Iterator[list[torch.Tensor]]:
    """The weights after each step in torch."""
    course = ALL_COURSES[name]
    x, y = course.data()
    model, loss = course.model(torch.nn), course.loss(torch.nn)
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    while True:
        optimiser.zero_grad()
        loss(model(x), y).backward()
        optimiser.step()
        yield [parameter.detach().clone() for parameter in model.parameters()]


def counted(party: Any, call: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What a call gives, and what it took at one party, by its names in `Step`; None is the party on plain
    CrypTen.
    """
    crypten = importlib.import_module("crypten")
    crypten.cfg.communicator.verbose = True  # plain CrypTen counts nothing otherwise
    communicator = crypten.communicator.get()
    communicator.reset_communication_stats()
    before = _dealer_cost(party)
    began = time.perf_counter()
    result = call()
    # A division that the result waits for belongs to the call.
    _ = getattr(result, "share", None)
    seconds_s, stats = time.perf_counter() - began, communicator.get_communication_stats()
    asked, octets = (now - then for now, then in zip(_dealer_cost(party), before, strict=True))
    return result, {
        "seconds_s": seconds_s,
        "rounds": stats["rounds"],
        "octets": int(stats["bytes"]),
        "dealer_bytes": octets,
        "dealer_rounds": asked,
    }


def _dealer_cost(party: Any) -> tuple[int, int]:
    """Requests that the party waited for so far, and bytes to and from the dealer; None has no dealer."""
    if party is None:
        return 0, 0
    cost = party.cost()
    return cost.dealer_rounds, cost.dealer_bytes_sent + cost.dealer_bytes_received
