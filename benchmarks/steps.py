"""Rounds and bytes of operations and training steps on shares beside plain CrypTen's.

    python -m benchmarks.steps                              # the tables, a few minutes
    python -m benchmarks.steps --size small                 # without LeNet
    python -m benchmarks.steps --out benchmarks/STEPS.md    # and into a file

Two parties each, on this machine, in turns; every result is checked in the same run. Ours have a dealer of
their own and encrypted channels. Plain CrypTen's dealer is INSECURE: it is party 0 itself, which knows all
masks, so that it has no offline bytes at all; its traffic is in the clear.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.crypten_steps import ALL_COURSES, clear_steps
from benchmarks.duel import Worker
from benchmarks.operations import FUNCTIONS, UNIT, Operation, find, in_turn
from benchmarks.parties import Control, Prepare, Stage, run_parties
from benchmarks.peers import PEERS
from benchmarks.plain_crypten import run_plain
from mpc.cost import Cost

TREE, DCF, PLAIN = "tree", "dcf", "plain"
RUN: dict[str, Callable[[Prepare, int, Control], None]] = {
    TREE: run_parties,
    DCF: partial(run_parties, comparison="dcf"),
    PLAIN: run_plain,
}
# What results may be off by: ours in operations, CrypTen's approximations there, weights after some steps.
OWN_ERROR, PLAIN_ERROR, DRIFT = 16 * UNIT, 2.0**-6, 0.05
SPU_CALLS = 9


@dataclass(frozen=True)
class Row:
    """A line of the table: what is run, with which comparison, and the limits that it is held to.

    warm: calls before the measured ones, four of which the dealer needs to foresee all requests of the next.
    rounds, octets: at most, for one entry or step. faster: than CrypTen on this machine, 0 for no limit.
    """

    name: str
    method: str = TREE
    rounds: int = 0
    octets: float = 0.0
    faster: float = 0.0
    warm: int = 4
    calls: int = 3

    @property
    def label(self) -> str:
        """As it stands in the table."""
        return f"{self.name}{' step' if self.is_course else ''}{', DCF' if self.method == DCF else ''}"

    @property
    def is_course(self) -> bool:
        """Whether it is a step of training."""
        return self.name in ALL_COURSES


SMALL = (
    Row("sign test, per entry", TREE, 5, 96),
    Row("sign test, per entry", DCF, 1, 16),
    Row("ReLU, per entry", TREE, 6, 130),
    Row("ReLU, per entry", DCF, 2, 40),
    Row("sigmoid, per entry", TREE, 8, 200),
    Row("softmax of 10, per row", TREE, 30, 4e3),
    Row("max-pool 2x2, per output", TREE, 12, 700),
    Row("LR by sigmoid and BCELoss", TREE, 12, 100e3),
    Row("LR by sigmoid and BCELoss", DCF, 12, 100e3),
    Row("LR", TREE, 12, 100e3),
    Row("MLP 784-128-128-10", TREE, 60, 25e6, 4),
    Row("MLP 784-128-128-10", DCF, 60, 25e6, 4),
)
LARGE = (Row("LeNet 20/50/500", TREE, 100, 0.6e9, 5, warm=1, calls=1),)
TINY = tuple(
    Row(row.name, row.method, row.rounds, row.octets, warm=0, calls=1)
    for row in SMALL
    if row.method == TREE and not row.faster
)
SIZES = {"tiny": (TINY, 16), "small": (SMALL, 1024), "paper": (SMALL + LARGE, 1024)}


@dataclass(frozen=True)
class Side:
    """One engine's cost of one row: rounds and bytes there and back of one party, offline bytes of all."""

    cost: Cost
    octets: int
    offline: int
    error: float


@dataclass(frozen=True)
class Accuracy:
    """Largest errors: in units of 2^-16 where the function is at most 1, as a part of it elsewhere."""

    units: float
    part: float | None


@dataclass
class Tables:
    """All that one run found; `spu_s` is SPU's step of the regression, or why there is none."""

    size: str
    count: int
    rows: dict[Row, dict[str, Side]] = field(default_factory=dict)
    accuracy: dict[str, tuple[Accuracy, Accuracy | None]] = field(default_factory=dict)
    spu_s: float | str = "not asked for"


class WrongResult(RuntimeError):
    """An engine computed something else than it should."""


def measure(size: str, report: Callable[[str], None] = lambda label: None) -> Tables:
    """Run everything at this size, and say which row is done.

    WrongResult if a result is off, ValueError for an unknown size.
    """
    if size not in SIZES:
        raise ValueError(f"size {size!r} is unknown, expected one of {', '.join(SIZES)}")
    rows, count = SIZES[size]
    tables = Tables(size, count)
    functions = FUNCTIONS if size != "tiny" else {}
    with ExitStack() as stack:
        stages = {
            engine: stack.enter_context(
                Stage(in_turn(_order(engine, rows, functions), count), 2, RUN[engine])
            )
            for engine in (TREE, DCF, PLAIN)
            if engine == PLAIN or any(row.method == engine for row in rows)
        }
        for row in rows:
            tables.rows[row] = _measured(row, count, stages)
            report(row.label)
        for name, function in functions.items():
            own = _accuracy(name, stages[TREE])
            tables.accuracy[name] = own, None if function.ours_only else _accuracy(name, stages[PLAIN])
    if size != "tiny":
        tables.spu_s = spu_step()
    return tables


def _order(engine: str, rows: Sequence[Row], functions: dict[str, Operation]) -> Iterator[tuple[str, int]]:
    for row in rows:
        if engine in (row.method, PLAIN):
            yield row.name, row.warm + row.calls
    if engine != DCF:
        yield from ((name, 1) for name, own in functions.items() if engine == TREE or not own.ours_only)


def _measured(row: Row, count: int, stages: dict[str, Stage]) -> dict[str, Side]:
    """Both engines in turns."""
    engines = (PLAIN, row.method)
    answers: dict[str, list[list[Any]]] = {engine: [] for engine in engines}
    for _ in range(row.warm + row.calls):
        for engine in engines:
            answers[engine].append(stages[engine]())
    return {engine: _side(row, count, engine, taken) for engine, taken in answers.items()}


def _side(row: Row, count: int, engine: str, answers: list[list[Any]]) -> Side:
    error = _drift(row.name, answers) if row.is_course else _error(row.name, count, answers[-1][0].value)
    bound = DRIFT if row.is_course else PLAIN_ERROR if engine == PLAIN else OWN_ERROR
    if not error <= bound:
        raise WrongResult(f"{row.label} by {engine!r} is off by {error:.3g}, expected at most {bound:.3g}")
    measured = answers[row.warm :]
    counts = {(first.rounds, first.octets) for first, *_ in measured}
    if len(counts) != 1:
        raise WrongResult(f"{row.label} by {engine!r} took different rounds or bytes each time: {counts}")
    rounds, octets = counts.pop()
    dealt = statistics.median_low([first.dealer_bytes for first, *_ in measured])
    offline = statistics.median_low([sum(each.dealer_bytes for each in step) for step in measured])
    seconds_s = statistics.median(first.seconds_s for first, *_ in measured)
    asked = statistics.median_low([first.dealer_rounds for first, *_ in measured])
    return Side(Cost(rounds, octets // 2, asked, 0, dealt, seconds_s), octets, offline, error)


def _error(name: str, count: int, value: Any) -> float:
    operation = find(name, count)
    return float(np.abs(value * UNIT - operation.exact(operation.points())).max())


def _drift(name: str, answers: list[list[Any]]) -> float:
    """The largest difference of a weight to torch's after the last step."""
    for expected, step in zip(clear_steps(name), answers, strict=False):
        pairs = zip(expected, step[0].weights, strict=True)
        worst = max(float((exact - weight).abs().max()) for exact, weight in pairs)
    return worst


def _accuracy(name: str, stage: Stage) -> Accuracy:
    operation = FUNCTIONS[name]
    exact = operation.exact(operation.points())
    error, small = np.abs(stage()[0].value * UNIT - exact), np.abs(exact) <= 1
    part = float((error[~small] / np.abs(exact[~small])).max()) if not small.all() else None
    return Accuracy(float(error[small].max() / UNIT), part)


def spu_step() -> float | str:
    """Median seconds of SPU's step of logistic regression (SEMI2K), or why it cannot be measured."""
    peer = PEERS["spu"]
    if reason := peer.why_missing():
        return reason
    with tempfile.TemporaryDirectory() as folder, Worker(peer.command("mpc"), 1, Path(folder) / "log") as spu:
        spu.ask(set_up={})
        spu.ask(check="lr_step")
        return float(statistics.median(spu.ask(time="lr_step")["seconds"] for _ in range(SPU_CALLS)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and, if asked for, write the tables."""
    from benchmarks.steps_report import markdown

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.steps", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--size", choices=SIZES, default="paper", help="how much is run")
    parser.add_argument("--out", type=Path, help="a Markdown file for the tables")
    chosen = parser.parse_args(arguments)
    text = markdown(measure(chosen.size, lambda label: print(label, file=sys.stderr, flush=True)))
    if chosen.out:
        chosen.out.write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
