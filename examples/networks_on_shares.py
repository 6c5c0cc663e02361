"""Networks trained on shares: one party has the images, the other the labels, and the twin runs in the clear.

    python examples/networks_on_shares.py digits digits-cnn --plot curves.png

    digits       64-32-10 on 8 x 8 digits
    digits-cnn   a convolution with batch normalisation, and average pooling, on the same
    mnist        784-128-128-10 (long), read from the folder `--data`

Log loss and accuracy on test images are opened to both parties a few times on the way, as they agreed to. The
exit status is non-zero if an accuracy is more than a point from the twin's: same start, seeds and batches.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch
from beside import DATA, Outcome, Training, load, report
from sklearn.datasets import load_digits
from torch import nn

import mpc
from mpc import metrics
from mpc.network import Network
from mpc.optimise import SGD
from mpc.table import check_labels

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """What is public of a network's training."""

    model: nn.Sequential
    rate: float
    steps: int
    batch_size: int
    rows: int
    tests: int
    image: tuple[int, ...]
    classes: int = 10
    points: int = 3


def follow(network: Network, plan: Plan, data: tuple[Any, ...], show: Callable[[Any], Any]) -> Outcome:
    """Train in several stretches, with log loss and accuracy on the test rows opened after each."""
    x, y, test_x, test_y = data
    optimiser, curve = SGD(learning_rate=plan.rate, momentum=0.9), []
    stretch = plan.steps // plan.points
    for point in range(plan.points):
        network.fit(x, y, optimiser=optimiser, steps=stretch, batch_size=plan.batch_size, seed=point)
        scores = network.scores(test_x)
        loss, right = show(metrics.log_loss(scores, test_y)), show(metrics.accuracy(scores, test_y))
        curve.append(((point + 1) * stretch, float(loss), float(right)))
    return Outcome(curve[-1][2], plan.tests, curve)


def owner(party: mpc.Party, own: tuple[Plan, Array, Array]) -> Outcome:
    """The first party's tables are images, the second's labels; each knows the shapes of the other's."""
    plan, *tables = own
    network = Network.share(party, plan.model, owner=0)

    def share(place: int, rows: int, rank: int) -> Any:
        size = (rows, *plan.image) if rank == 0 else (rows, plan.classes)
        return party.secret(tables[place] if party.rank == rank else None, owner=rank, size=size)

    data = share(0, plan.rows, 0), share(0, plan.rows, 1), share(1, plan.tests, 0), share(1, plan.tests, 1)
    outcome = follow(network, plan, data, party.reveal)
    return Outcome(outcome.accuracy, outcome.tests, outcome.curve, party.cost())


def beside(plan: Plan, images: tuple[Array, Array], digits: tuple[Array, Array]) -> Training:
    labels = tuple(check_labels(part, classes=plan.classes) for part in digits)

    def twin(_: list[Any]) -> Outcome:
        tables = (images[0], labels[0], images[1], labels[1])
        return follow(Network(plan.model), plan, tuple(map(torch.from_numpy, tables)), lambda value: value)

    return Training(owner, [(plan, *images), (plan, *labels)], twin, lambda results: results[0])


def digits(model: nn.Sequential, rate: float, steps: int) -> Training:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x, y = (x[order] / 16).reshape(-1, 1, 8, 8), y[order]
    plan = Plan(model, rate, steps, 32, rows=1400, tests=397, image=(1, 8, 8))
    return beside(plan, (x[:1400], x[1400:]), (y[:1400], y[1400:]))


def mnist(folder: Path, steps: int = 300) -> Training:
    data = load("mnist.npz", folder)
    images = tuple((data[f"x_{part}"] / 255 - 0.1307) / 0.3081 for part in ("train", "test"))
    rows, tests = 20_000, 2_000
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    plan = Plan(model, 0.02, steps, 128, rows, tests, image=(28, 28))
    return beside(
        plan, (images[0][:rows], images[1][:tests]), (data["y_train"][:rows], data["y_test"][:tests])
    )


def make(name: str, folder: Path = DATA) -> Training:
    torch.manual_seed(1)
    if name == "mnist":
        return mnist(folder)
    if name == "digits":
        return digits(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)), rate=0.1, steps=150
        )
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(54, 10)
    )
    return digits(network, rate=0.05, steps=60)


def plot(outcomes: dict[str, tuple[Outcome, Outcome]], path: Path) -> None:
    """Log loss and accuracy on shares over those in the clear, a row of axes for each training."""
    figure, axes = plt.subplots(len(outcomes), 2, figsize=(10, 3.2 * len(outcomes)), squeeze=False)
    for row, (name, (secure, clear)) in zip(axes, outcomes.items(), strict=True):
        for place, label in enumerate(("log loss on test images", "accuracy on test images"), start=1):
            for outcome, style in ((clear, {"color": "0.6", "lw": 5}), (secure, {"color": "C0"})):
                steps = [point[0] for point in outcome.curve]
                shown = "on shares" if outcome is secure else "in the clear"
                row[place - 1].plot(steps, [point[place] for point in outcome.curve], label=shown, **style)
            row[place - 1].set(xlabel=f"steps ({name})", ylabel=label)
            row[place - 1].legend()
    figure.tight_layout()
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", choices=["digits", "digits-cnn", "mnist"], default=["digits"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--plot", type=Path)
    chosen = parser.parse_args()
    status, outcomes = report(chosen.jobs, lambda name: make(name, chosen.data))
    if chosen.plot:
        plot(outcomes, chosen.plot)
    return status


if __name__ == "__main__":
    sys.exit(main())
