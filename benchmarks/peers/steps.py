"""Training steps as verbs, on our parties or on plain CrypTen's: the same program on both.

A step is timed at the party that tells it, without opening the weights, which only the check needs.
"""

from __future__ import annotations

import atexit
from itertools import repeat
from typing import Any

from benchmarks.crypten_steps import (
    COURSES,
    OPERATIONS,
    clear_operation,
    clear_steps,
    secure_operation,
    secure_steps,
)
from benchmarks.parties import Stage
from benchmarks.peers.worker import Wrong, bits

DRIFT = 2.0**-5  # of one weight after the hundred steps or so of a comparison, of 2^-16 each


class Course:
    """One network between some parties, and beside it the same steps in torch; or one operation."""

    def __init__(self, name: str, parties: int, run: Any) -> None:
        known = name in COURSES
        self.stage = Stage(secure_steps(name) if known else secure_operation(name), parties, run)
        self.exact = clear_steps(name) if known else repeat([clear_operation(name)])
        self.expected: Any = None
        atexit.register(self.stage.__exit__)

    def step(self) -> Any:
        """One step at all of them; what party 0 tells of it."""
        self.expected = next(self.exact)
        return self.stage()[0]

    def check(self, step: Any) -> float | None:
        """The precision of the weights so far, None if exact; Wrong if one of them went astray."""
        worst = max(float((a - b).abs().max()) for a, b in zip(self.expected, step.weights, strict=True))
        if worst > DRIFT:
            raise Wrong(f"a number is off by {worst:.2g}, expected at most {DRIFT:.2g}")
        parts = [bits(a.numpy(), b.numpy()) for a, b in zip(step.weights, self.expected, strict=True)]
        return min((part for part in parts if part is not None), default=None)


def set_up(case: dict[str, Any], run: Any, note: str) -> Any:
    """Facts, verbs and checks of the case's parties, two if it says nothing; the first step of each verb
    tells rounds and bytes.
    """
    parties = case.get("parties", 2)
    names = {f"{name.lower()}_step": name for name in COURSES}
    if parties > 2:
        names = {"lr_step": "LR"} | {name: name for name in OPERATIONS}
    courses = {verb: Course(name, parties, run) for verb, name in names.items()}
    by_verb = {}
    for verb, course in courses.items():
        first = course.step()
        by_verb[verb] = {
            "rounds": first.rounds,
            "bytes": first.octets,
            "dealer_bytes": first.dealer_bytes,
            "dealer_rounds": first.dealer_rounds,
        }
    facts = {"dealer": note, "by_verb": by_verb}
    verbs = {verb: course.step for verb, course in courses.items()}
    return facts, verbs, {verb: course.check for verb, course in courses.items()}
