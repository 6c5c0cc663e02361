"""A progress bar with the time left on a terminal, one line for each thing measured in a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """Weights are seconds that a part is thought to take: the time left is told from those still to come."""

    def __init__(self, weights: dict[str, float]) -> None:
        self._weights = weights
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not sys.stderr.isatty(),
                             speed_estimate_period=600)  # fmt: skip
        self._task = self._bar.add_task("", total=sum(weights.values()))
        self._before = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, part: str, share: float, line: str) -> None:
        """So much of a part, 0 to 1, is done; `line` says what ended."""
        self._bar.update(self._task, completed=self._before + share * self._weights[part], description=part)
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def end(self, part: str) -> None:
        """A part has ended."""
        self._before += self._weights[part]
        self._bar.update(self._task, completed=self._before)
