"""Early stopping: the best weights so far, by a score that stays secret but for one bit a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from mpc.tensors import opened, positive

# Scores on shares that are equal come out a few units of 2^-16 apart.
LEAST_TOL = 2.0**-12


@dataclass(repr=False)
class Best:
    """The best weights so far with their score, and how many checks ago."""

    score: Any
    weights: Any
    checks_since: int = 0

    @classmethod
    def after(cls, best: Self | None, score: Any, weights: Any, tol: float) -> Self:
        """The best after one more check. Opens to all parties whether the score rose by more than `tol`."""
        if best is None or bool(opened(positive(score - (best.score + tol))).item()):
            return cls(score, weights)
        best.checks_since += 1
        return best

    @classmethod
    def restore(cls, state: list[Any] | None) -> Self | None:
        """What `state_of` kept; None where nothing was checked yet."""
        return None if state is None else cls(*state)


def state_of(best: Best | None) -> list[Any] | None:
    """What `Best.restore` reads."""
    return None if best is None else [best.score, best.weights, best.checks_since]


def check_tol(tol: float) -> None:
    """Raises ValueError below 2^-12."""
    if not tol >= LEAST_TOL:
        raise ValueError(f"tol must be at least 2^-12, beyond the rounding of scores, got {tol}")


@dataclass(frozen=True, repr=False)
class EarlyStop:
    """Held-out rows `x`, `y`, as secret as those trained on, and when to stop.

    Every `check_every` steps all parties learn whether the score on them rose by more than `tol` (at least
    2^-12). After `patience` checks in a row without that, training stops; either way the best weights stay.
    """

    x: Any
    y: Any
    patience: int = 3
    check_every: int = 10
    tol: float = 1e-3

    def __post_init__(self) -> None:
        check_tol(self.tol)
        if self.patience < 1 or self.check_every < 1:
            raise ValueError(
                f"patience and check_every >= 1 expected, got {self.patience}, {self.check_every}"
            )
        if self.y.dim() != 2 or self.y.size(0) != self.x.size(0):
            raise ValueError(
                f"y of shape ({self.x.size(0)}, outputs) was expected, got {tuple(self.y.size())}"
            )
