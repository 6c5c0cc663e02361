"""Metrics and the functions under them, on shares and in the clear, against scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as theirs

import mpc
from mpc import metrics, tensors

RNG = np.random.default_rng(7)
ROWS = 61
TRUTH = (RNG.random((ROWS, 1)) < 0.4).astype(float)
# Rounded, so that there are ties among the scores.
SCORES = np.round(RNG.normal(size=(ROWS, 1)) + TRUTH, 1)
CLASSES = RNG.integers(0, 5, size=ROWS)
MANY = RNG.normal(size=(ROWS, 5)) * 3 + 2 * np.eye(5)[CLASSES]
WIDE = np.array([[0.0, 80.0], [-80.0, 40.0], [3.0, 3.0]])


def measures(share: Any) -> dict[str, Any]:
    scores, truth, many, classes, wide = map(share, (SCORES, TRUTH, MANY, np.eye(5)[CLASSES], WIDE))
    ties = share(np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-1.0, -5.0, -2.0]]))
    return {
        "accuracy": metrics.accuracy(scores, truth),
        "accuracy of five": metrics.accuracy(many, classes),
        "auc": metrics.auc(scores, truth),
        "log loss": metrics.log_loss(scores, truth),
        "log loss of five": metrics.log_loss(many, classes),
        "log loss of far scores": metrics.log_loss(wide, share(np.array([[0.0, 1], [0, 1], [1, 0]]))),
        "r2": metrics.r2(scores, truth),
        "largest": tensors.largest(ties),
        "maximum": tensors.maximum(ties),
        "one column": tensors.largest(scores[:2]),
        "positive": tensors.positive(scores[:9]) * 0.25,
        "joined": tensors.join([scores[:2], truth[:2]], dim=1),
    }


def on_shares(party: mpc.Party) -> dict[str, Any]:
    def share(value: np.ndarray[Any, Any]) -> Any:
        return party.secret(value if party.rank == 0 else None, owner=0, size=value.shape)

    results = measures(share)
    assert all(tensors.is_secret(value) for value in results.values())
    return {name: party.reveal(value) for name, value in results.items()}


def exact() -> dict[str, Any]:
    odds = np.exp(MANY) / np.exp(MANY).sum(axis=1, keepdims=True)
    return {
        "accuracy": theirs.accuracy_score(TRUTH, SCORES > 0),
        "accuracy of five": theirs.accuracy_score(CLASSES, MANY.argmax(axis=1)),
        "auc": theirs.roc_auc_score(TRUTH.ravel(), SCORES.ravel()),
        "log loss": theirs.log_loss(TRUTH.ravel(), 1 / (1 + np.exp(-SCORES.ravel()))),
        "log loss of five": theirs.log_loss(CLASSES, odds, labels=range(5)),
        "log loss of far scores": np.log(2) / 3,
        "r2": theirs.r2_score(TRUTH, SCORES),
        "largest": [[0, 1, 0], [1, 0, 0], [1, 0, 0]],
        "maximum": [[3], [2], [-1]],
        "one column": [[1], [1]],
        "positive": 0.25 * (SCORES[:9] > 0),
        "joined": np.hstack([SCORES[:2], TRUTH[:2]]),
    }


# Five classes are three levels of pairs. A divisor of 0.24 is right to 2^-16, its reciprocal to 2^-12.
BOUNDS = {
    "auc": 0.002,
    "log loss": 0.002,
    "log loss of five": 0.006,
    "log loss of far scores": 0.002,
    "r2": 0.005,
}


@pytest.mark.parametrize("parties", [0, 2, 3])
def test_measures_agree_with_scikit_learn(parties: int) -> None:
    """No party at all is torch in the clear, where only the logarithm's polynomial is inexact."""
    results = [measures(torch.from_numpy)] if parties == 0 else mpc.run_local(on_shares, parties)
    for result in results:
        for name, value in exact().items():
            bound = 1e-4 if parties == 0 else BOUNDS.get(name, 1e-3)
            assert np.abs(result[name].double().numpy() - value).max() < bound, name


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape .* got \(3, 1\) and \(3,\)"):
        metrics.accuracy(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(ValueError, match=r"got \(0, 1\) and \(0, 1\)"):
        metrics.log_loss(torch.zeros(0, 1), torch.zeros(0, 1))
    with pytest.raises(ValueError, match=r"shape \(rows, 1\) were expected, got \(3, 2\)"):
        metrics.auc(torch.zeros(3, 2), torch.zeros(3, 2))
