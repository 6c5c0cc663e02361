"""A training on shares beside the same one in the clear: run both, compare, and say what it cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import mpc

DATA = Path(__file__).parents[2] / "shared" / "data"
POINT = 0.01


@dataclass(frozen=True)
class Outcome:
    """Accuracy on test rows, and (step, log loss, accuracy) along the way where the training has a curve."""

    accuracy: float
    tests: int
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    cost: mpc.Cost | None = None


@dataclass(frozen=True)
class Training:
    """The parties' program with each one's input, and its twin, which may use what the parties returned."""

    program: Callable[..., Any]
    inputs: list[Any]
    twin: Callable[[list[Any]], Outcome]
    secure: Callable[[list[Any]], Outcome]


def load(name: str, folder: Path = DATA) -> Any:
    """The arrays of one file; FileNotFoundError says where it was looked for."""
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: put {name} there, or name another folder with --data")
    return np.load(path)


def run(training: Training, timeout_s: float = 3600.0) -> tuple[Outcome, Outcome]:
    """The outcome on shares and the one in the clear."""
    results = mpc.run_local(
        training.program, len(training.inputs), inputs=training.inputs, timeout_s=timeout_s
    )
    return training.secure(results), training.twin(results)


def alike(secure: Outcome, clear: Outcome) -> bool:
    """Within a point; the opened accuracy itself is rounded to 16 fractional bits a few times."""
    return abs(secure.accuracy - clear.accuracy) <= POINT + 2.0**-12


def report(names: Sequence[str], make: Callable[[str], Training]) -> tuple[int, dict[str, Any]]:
    """Run the named trainings and print a row for each; 0 if all are alike, and the outcomes."""
    table, outcomes = Table(title="Accuracy on test rows"), {}
    for heading in (
        "training",
        "on shares",
        "in the clear",
        "tests",
        "rounds",
        "MB sent",
        "dealer MB",
        "time",
    ):
        table.add_column(heading, justify="left" if heading == "training" else "right")
    for name in names:
        began = time.monotonic()
        secure, clear = outcomes[name] = run(make(name))
        cost = secure.cost or mpc.Cost()
        table.add_row(
            name,
            f"{secure.accuracy:.2%}",
            f"{clear.accuracy:.2%}",
            str(clear.tests),
            str(cost.rounds),
            f"{cost.bytes_sent / 1e6:.1f}",
            f"{cost.dealer_bytes_received / 1e6:.1f}",
            f"{time.monotonic() - began:.0f} s",
        )
    Console().print(table)
    return int(not all(alike(*pair) for pair in outcomes.values())), outcomes
