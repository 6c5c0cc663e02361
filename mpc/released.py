"""A trained linear model in the clear: what one gets after a reveal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearModel:
    """score(x) = x @ weights + bias, with weights (features, outputs) and bias (outputs,)."""

    weights: Array
    bias: Array
    classifies: bool = True

    def decision_function(self, x: Array) -> Array:
        """Scores of shape (rows, outputs) for x of shape (rows, features)."""
        features = len(self.weights)
        if x.ndim != 2 or x.shape[1] != features:
            raise ValueError(f"x of shape (rows, {features}) was expected, got {x.shape}")
        scores: Array = x @ self.weights + self.bias
        return scores

    def predict(self, x: Array) -> npt.NDArray[np.int64] | Array:
        """Shape (rows,): the class (with one output, 1 where its score is positive), or the regressed value.

        A regression with several outputs gives shape (rows, outputs).
        """
        scores = self.decision_function(x)
        if not self.classifies:
            return scores[:, 0] if scores.shape[1] == 1 else scores
        if scores.shape[1] == 1:
            return (scores[:, 0] > 0).astype(np.int64)
        classes: npt.NDArray[np.int64] = scores.argmax(axis=1)
        return classes
