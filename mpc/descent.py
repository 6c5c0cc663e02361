"""The training that all linear models share, on secret tensors and, with the same steps, on torch's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Self

import numpy as np
import torch

from mpc.batches import SCHEDULES, batches, factor
from mpc.checkpoint import Checkpoints
from mpc.following import After, following
from mpc.party import Party
from mpc.progress import Progress
from mpc.released import LinearModel
from mpc.stopping import Best, check_tol, state_of
from mpc.tensors import combinations, is_secret, tracked, zeros_like

# What a fixed-point number with 16 fractional bits can tell from zero.
UNIT = 2.0**-16


@dataclass(eq=False)
class Linear(ABC):
    """Gradient descent with momentum (Polyak, 1964) on mini-batches, in scikit-learn's manners.

    Each step is v <- m v - a (X^T g / n + l w), w <- w + v with g the derivative of the loss with respect to
    the scores X w + b; the same for the bias b, which is not regularised. The loss itself is never computed.
    Training, predicting and scoring reveal nothing; `reveal` does, and `patience` tells one bit a check.

    steps          number of steps
    learning_rate  a in the first step; `schedule` says how it goes on: constant, cosine or invscaling
    momentum       m, from 0 to below 1
    l2             l, for a loss of mean + l |w|^2 / 2: 0 or at least 2^-16
    batch_size     rows a step; None takes all
    patience       with validation data: stop after so many checks in a row without a better score, and go
                   back to the best weights. Whether the score rose is opened to all parties at each check
    check_every    steps from one check to the next
    tol            what the score must rise by to count as better, at least 2^-12: on shares equal scores
                   come out a few units of 2^-16 apart
    seed           of the shuffling, public and the same at all parties
    """

    steps: int = 40
    learning_rate: float = 1.0
    momentum: float = 0.8
    l2: float = 1e-3
    batch_size: int | None = None
    schedule: str = "constant"
    patience: int | None = None
    check_every: int = 10
    tol: float = 1e-3
    seed: int = 0

    classifies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.steps < 1 or self.learning_rate <= 0 or not 0 <= self.momentum < 1:
            raise ValueError(
                "steps >= 1, learning_rate > 0 and 0 <= momentum < 1 were expected, "
                f"got {self.steps}, {self.learning_rate}, {self.momentum}"
            )
        if self.l2 != 0 and self.l2 < UNIT:
            raise ValueError(f"l2 must be 0 or at least 2^-16, the fixed-point unit, got {self.l2}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {list(SCHEDULES)}, got {self.schedule!r}")
        if self.check_every < 1 or (self.patience is not None and self.patience < 1):
            raise ValueError(
                f"check_every and patience >= 1 were expected, got {self.check_every}, {self.patience}"
            )
        check_tol(self.tol)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings by name, as scikit-learn's tools want them."""
        return {setting.name: getattr(self, setting.name) for setting in fields(self)}

    def set_params(self, **settings: Any) -> Self:
        """Change settings; ValueError for one that does not exist or has a value out of range."""
        known = self.get_params()
        if unknown := sorted(settings.keys() - known.keys()):
            raise ValueError(f"{unknown} are no settings; there are {sorted(known)}")
        type(self)(**(known | settings))
        for name, value in settings.items():
            setattr(self, name, value)
        return self

    def fit(
        self,
        x: Any,
        y: Any,
        validation: tuple[Any, Any] | None = None,
        *,
        checkpoints: Checkpoints | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Train on x of shape (rows, features), standardised, and y of shape (rows, outputs).

        Both secret, or both torch tensors, and so are `coef_` of shape (features, outputs) and `intercept_`
        of shape (1, outputs) afterwards. `validation` is a pair like (x, y), wanted if `patience` is set.
        With `checkpoints` of secret tensors a training that was cut off goes on where it was. `progress`
        shows how far it is.
        """
        _check(x, y)
        if (validation is None) != (self.patience is None):
            raise ValueError("patience and validation data go together: give both or neither")
        self._begin(x, y)
        data, best, first = (x, y, self._row_weights(y), validation), None, 0
        if checkpoints is not None:
            settings = {"model": type(self).__name__, **self.get_params(), "shape": tuple(x.size())}
            settings["loss shown every"] = progress and progress.loss_every
            first, data, state = checkpoints.begin(settings, data, self._state(best))
            best = self._restore(*state)
        with following(self.steps, first, checkpoints, progress) as after:
            best = self._train(*data, best, first, after)
        if checkpoints is not None:
            checkpoints.end()
        if best is not None:
            self.coef_, self.intercept_ = best.weights
        return self

    def _train(
        self,
        x: Any,
        y: Any,
        row_weights: Any,
        validation: tuple[Any, Any] | None,
        best: Best | None,
        first: int,
        after: After,
    ) -> Best | None:
        """Take the steps from number `first` on."""
        order = batches(x.size(0), self.batch_size, self.steps, self.seed)
        for step, rows in islice(enumerate(order), first, None):
            if best is not None and best.checks_since == self.patience:
                break
            rate = self.learning_rate * factor(self.schedule, step, self.steps)
            now_x, now_y = self._rows(x, rows), self._rows(y, rows)
            self._step(now_x, now_y, self._rows(row_weights, rows), rate)
            if validation is not None and (step + 1) % self.check_every == 0:
                score, weights = self.score(*validation), [self.coef_, self.intercept_]
                best = Best.after(best, score, weights, self.tol)
            after(step + 1, partial(self._state, best), partial(self.loss, now_x, now_y))
        return best

    def _state(self, best: Best | None) -> list[Any]:
        return [self.coef_, self.intercept_, list(self._velocity), state_of(best)]

    def _restore(self, coef: Any, intercept: Any, velocity: list[Any], kept: list[Any] | None) -> Best | None:
        self.coef_, self.intercept_, self._velocity = coef, intercept, (velocity[0], velocity[1])
        return Best.restore(kept)

    def decision_function(self, x: Any) -> Any:
        """Scores X w + b of shape (rows, outputs), as secret as x is."""
        if not hasattr(self, "coef_"):
            raise ValueError("the model is not trained yet: call fit first")
        if x.dim() != 2 or x.size(1) != self.coef_.size(0):
            raise ValueError(f"x of shape (rows, {self.coef_.size(0)}) was expected, got {tuple(x.size())}")
        return x.matmul(self.coef_) + self.intercept_

    @abstractmethod
    def predict(self, x: Any) -> Any:
        """Classes of shape (rows, 1), or regressed values of shape (rows, outputs), as secret as x is."""

    @abstractmethod
    def loss(self, x: Any, y: Any) -> Any:
        """What training lowers, without the penalty: the mean over the rows, shape (1, 1), as secret as x."""

    @abstractmethod
    def score(self, x: Any, y: Any) -> Any:
        """What early stopping watches, larger is better: shape (1, 1), as secret as x is."""

    def reveal(self, party: Party, *, to: Sequence[str | int]) -> LinearModel | None:
        """The trained model in the clear at the parties named in `to`, and None at all others."""
        if isinstance(to, str) or not to:
            raise ValueError(f"to must be a list of the parties that get the model, got {to!r}")
        shown = [(party.reveal(self.coef_, one), party.reveal(self.intercept_, one)) for one in to]
        return next((self._released(*pair) for pair in shown if pair[0] is not None), None)

    def in_the_clear(self) -> LinearModel:
        """The model as arrays, after training on torch tensors; TypeError for a secret one."""
        if is_secret(self.coef_):
            raise TypeError("the model is secret: reveal(party, to=[...]) opens it")
        return self._released(self.coef_, self.intercept_)

    @abstractmethod
    def _derivative(self, scores: Any, y: Any) -> Any:
        """The derivative of each row's loss with respect to its scores, shape (rows, outputs)."""

    def _row_weights(self, y: Any) -> Any:
        """What each row counts, shape (rows, 1), or None if all count alike."""
        return None

    def _rows(self, table: Any, rows: np.ndarray[Any, Any]) -> Any:
        return table if table is None or self.batch_size is None else table[torch.from_numpy(rows)]

    def _begin(self, x: Any, y: Any) -> None:
        self.intercept_ = zeros_like(y[:1])
        self.coef_ = zeros_like(x[:1].t()) + self.intercept_
        self._velocity = zeros_like(self.coef_), zeros_like(self.intercept_)

    def _step(self, x: Any, y: Any, row_weights: Any, rate: float) -> None:
        rows, coef = int(x.size(0)), tracked(self.coef_)
        # On the tape of gradients, because x is opened once there for both products.
        products = x.matmul(coef)
        slope = self._derivative(products.detach() + self.intercept_, y)
        if row_weights is not None:
            slope = slope * row_weights
        products.backward(slope)
        velocity, drift = self._velocity
        slope_sum = slope.sum(dim=0, keepdim=True)
        velocity, drift = combinations(
            [
                [
                    (self.momentum, velocity),
                    (-rate / rows, coef.grad),
                    (-rate * self.l2, self.coef_),
                ],
                [(self.momentum, drift), (-rate / rows, slope_sum)],
            ]
        )
        self.coef_, self.intercept_ = self.coef_ + velocity, self.intercept_ + drift
        self._velocity = velocity, drift

    def _released(self, coef: torch.Tensor | None, intercept: torch.Tensor | None) -> LinearModel:
        if coef is None or intercept is None:
            raise TypeError("weights and bias are opened together")
        return LinearModel(coef.double().numpy(), intercept.double().numpy()[0], self.classifies)


def _check(x: Any, y: Any) -> None:
    if is_secret(x) != is_secret(y):
        raise TypeError("x and y must both be secret, or both be torch tensors")
    if x.dim() != 2 or x.size(0) == 0 or x.size(1) == 0:
        raise ValueError(f"x of shape (rows, features) was expected, got {tuple(x.size())}")
    if y.dim() != 2 or y.size(0) != x.size(0):
        raise ValueError(f"y of shape ({x.size(0)}, outputs) was expected, got {tuple(y.size())}")
