"""Training steps as verbs, on our parties or on plain CrypTen's: the same program on both.

A step is timed at the party that tells it, without opening the weights, which only the check needs.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any

from benchmarks.crypten_steps import COURSES, clear_steps, secure_steps
from benchmarks.parties import Stage
from benchmarks.peers.worker import Wrong, bits

DRIFT = 2.0**-5  # of one weight after the hundred steps or so of a comparison, of 2^-16 each


class Course:
    """One network between two parties, and beside it the same steps in torch."""

    def __init__(self, name: str, run: Any) -> None:
        self.stage = Stage(secure_steps(name), 2, run)
        self.exact = clear_steps(name)
        self.expected: Any = None
        atexit.register(self.stage.__exit__)

    def step(self) -> Any:
        """One step at both; what party 0 tells of it."""
        self.expected = next(self.exact)
        return self.stage()[0]

    def check(self, step: Any) -> float | None:
        """The precision of the weights so far; Wrong if one of them went astray."""
        worst = max(float((a - b).abs().max()) for a, b in zip(self.expected, step.weights, strict=True))
        if worst > DRIFT:
            raise Wrong(f"a weight is off by {worst:.2g}, expected at most {DRIFT:.2g}")
        parts = [bits(a.numpy(), b.numpy()) for a, b in zip(step.weights, self.expected, strict=True)]
        return min(part for part in parts if part is not None)


def set_up(run: Any, note: str) -> tuple[dict[str, Any], dict[str, Callable[[], Any]], dict[str, Any]]:
    """Facts, verbs and checks; the first step of each tells rounds and bytes."""
    courses = {f"{name.lower()}_step": Course(name, run) for name in COURSES}
    by_verb = {}
    for verb, course in courses.items():
        first = course.step()
        by_verb[verb] = {"rounds": first.rounds, "bytes": first.octets, "dealer_bytes": first.dealer_bytes}
    facts = {"dealer": note, "by_verb": by_verb}
    verbs = {verb: course.step for verb, course in courses.items()}
    return facts, verbs, {verb: course.check for verb, course in courses.items()}
