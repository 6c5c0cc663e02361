"""The linear models: which loss each one lowers, and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from mpc import metrics
from mpc.descent import Linear
from mpc.tensors import join, largest, positive, probabilities


@dataclass(eq=False)
class Ridge(Linear):
    """Least squares with an L2 penalty; scikit-learn's alpha is l2 times the number of rows.

    Labels of shape (rows, outputs), standardised as the table is. The step must be below 2 / (largest
    eigenvalue of X^T X / rows), which is at most the number of standardised columns.
    """

    learning_rate: float = 0.1
    classifies: ClassVar[bool] = False

    def predict(self, x: Any) -> Any:
        """The predicted labels, shape (rows, outputs)."""
        return self.decision_function(x)

    def score(self, x: Any, y: Any) -> Any:
        """The coefficient of determination R^2."""
        return metrics.r2(self.decision_function(x), y)

    def loss(self, x: Any, y: Any) -> Any:
        """The mean square error."""
        return metrics.mse(self.decision_function(x), y)

    def _derivative(self, scores: Any, y: Any) -> Any:
        return scores - y


@dataclass(eq=False)
class LinearRegression(Ridge):
    """Least squares."""

    l2: float = 0.0


@dataclass(eq=False)
class Classifier(Linear):
    """Labels of shape (rows, 1) with entries 0 or 1, or one-hot of shape (rows, classes).

    class_weight: one public weight a class, or "balanced" for rows / (classes * rows of that class), which is
    computed on shares and stays secret; None counts all rows alike. A class should have 1 % of the rows.
    """

    class_weight: Sequence[float] | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        weights = self.class_weight
        if weights is None or weights == "balanced":
            return
        if isinstance(weights, str) or any(weight < 0 for weight in weights):
            raise ValueError(f"class_weight must be None, 'balanced' or numbers >= 0, got {weights!r}")

    def predict(self, x: Any) -> Any:
        """The class of each row as a number, shape (rows, 1); it stays secret."""
        scores = self.decision_function(x)
        if scores.size(1) == 1:
            return positive(scores)
        return largest(scores).matmul(torch.arange(scores.size(1), dtype=torch.float64).reshape(-1, 1))

    def score(self, x: Any, y: Any) -> Any:
        """The accuracy."""
        return metrics.accuracy(self.decision_function(x), y)

    def _row_weights(self, y: Any) -> Any:
        if self.class_weight is None:
            return None
        one_hot = join([1.0 - y, y], dim=1) if y.size(1) == 1 else y
        classes = int(one_hot.size(1))
        if isinstance(self.class_weight, str):
            share = one_hot.sum(dim=0, keepdim=True).div(int(y.size(0)))
            return one_hot.matmul(share.t().reciprocal()).div(classes)
        if len(self.class_weight) != classes:
            raise ValueError(f"{classes} class weights were expected, got {len(self.class_weight)}")
        return one_hot.matmul(torch.tensor(self.class_weight, dtype=torch.float64).reshape(-1, 1))


@dataclass(eq=False)
class LogisticRegression(Classifier):
    """Logistic regression; scikit-learn's C is 1 / (l2 * rows).

    With one-hot labels of two or more columns the classes share a softmax (multinomial regression).
    """

    def predict_proba(self, x: Any) -> Any:
        """Probability of class 1, shape (rows, 1), or of each class, shape (rows, classes)."""
        return probabilities(self.decision_function(x))

    def loss(self, x: Any, y: Any) -> Any:
        """The log loss."""
        return metrics.log_loss(self.decision_function(x), y)

    def _derivative(self, scores: Any, y: Any) -> Any:
        return probabilities(scores) - y


@dataclass(eq=False)
class LinearSVC(Classifier):
    """Support vectors by the squared hinge loss, each class against the rest.

    scikit-learn's C is 1 / (l2 * rows); its penalty on the bias is not copied.
    """

    learning_rate: float = 0.1

    def loss(self, x: Any, y: Any) -> Any:
        """The squared hinge loss."""
        return metrics.squared_hinge(self.decision_function(x), y)

    def _derivative(self, scores: Any, y: Any) -> Any:
        side = y * 2.0 - 1.0
        return side * (1.0 - side * scores).relu() * -2.0
