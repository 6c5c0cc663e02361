"""Early stopping: the best weights stay, and what the parties learn is one bit a check."""

from __future__ import annotations

import pytest
import torch

from mpc.stopping import Best, EarlyStop, state_of


def score(value: float) -> torch.Tensor:
    return torch.tensor([[value]])


def test_the_best_weights_stay_and_checks_since_are_counted() -> None:
    best = None
    for number, value in enumerate([0.5, 0.7, 0.7005, 0.6, 0.8, 0.8]):
        best = Best.after(best, score(value), number, tol=1e-3)
    assert best is not None
    assert (best.weights, best.checks_since) == (4, 1)
    again = Best.restore(state_of(best))
    assert again is not None
    assert (again.weights, again.checks_since, again.score) == (4, 1, best.score)
    assert Best.restore(state_of(None)) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patience": 0}, "expected, got 0, 10"),
        ({"check_every": 0}, "expected, got 3, 0"),
        ({"tol": 1e-5}, r"tol must be at least 2\^-12"),
        ({"tol": float("nan")}, r"tol must be at least 2\^-12"),
        ({"y": torch.zeros(3, 1)}, r"y of shape \(4, outputs\) was expected, got \(3, 1\)"),
    ],
)
def test_other_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EarlyStop(**({"x": torch.zeros(4, 2), "y": torch.zeros(4, 1)} | settings))  # type: ignore[arg-type]
