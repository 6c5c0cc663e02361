"""Model: a plan together with the weights it runs on; what he.compile() returns and a server holds."""

import math
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he import layouts, store
from he.evaluation import Evaluation, noisy_scores
from he.layouts import AnyPlan, Weights


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """plan: what to do, for everyone. layers: the weights, for the server. classes: labels of the scores."""

    plan: AnyPlan
    layers: Weights
    classes: NDArray[Any]

    def predict_clear(self, x: ArrayLike) -> NDArray[np.float64]:
        """Scores (batch, outputs) of x (features,) or (batch, features), by the plan's steps in the clear."""
        return self._run(x, None)[0]

    def predicted_error(self, x: ArrayLike) -> float:
        """A bound on the absolute error that encryption adds to any score of x (batch, features)."""
        return self._run(x, None)[1]

    def labels(self, scores: NDArray[np.float64]) -> NDArray[Any]:
        """The class of each row of scores (batch, outputs): by sign for one score, else by the largest."""
        index = scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(np.intp)
        return np.asarray(self.classes[index])

    def evaluate(self, x: ArrayLike, y: ArrayLike) -> Evaluation:
        """Share of the rows of x (batch, features) whose class is y (batch,), under the noise of ciphertexts.

        A float, whose `outside` says which activations met inputs outside the range that their polynomials
        were fitted on, for how many samples and how far; printed, it shows both. The noise comes from a fixed
        seed: the same data give the same answer. `he.evaluation` has the noise model.
        """
        rows, given = samples(x, self.plan), np.asarray(y)
        if given.shape != (len(rows),):
            raise ValueError(f"y has shape {given.shape}, expected {(len(rows),)}")
        scores, outside = noisy_scores(self.plan, self.layers, rows, np.random.default_rng(0))
        return Evaluation(float(np.mean(self.labels(scores) == given)), outside)

    def save(self, path: str | Path) -> None:
        """Write plan and weights into a file, which appears whole or not at all."""
        data = store.dump(self.plan, self.layers, self.classes)
        target = Path(path)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(target)

    @classmethod
    def load(cls, path: str | Path, *, insecure: bool = False) -> Self:
        """A model from `save`; ValueError if it is damaged, or of insecure parameters unasked."""
        expect_scipy()
        size = Path(path).stat().st_size
        if size > store.LARGEST_MODEL_BYTES:
            raise ValueError(f"{path} has {size} bytes, expected at most {store.LARGEST_MODEL_BYTES}")
        return cls(*store.load(Path(path).read_bytes(), insecure=insecure))

    def _run(self, x: ArrayLike, rng: np.random.Generator | None) -> tuple[NDArray[np.float64], float]:
        """(scores, bound of their noise), the noise added if there is a generator."""
        return layouts.clear(self.plan, self.layers, samples(x, self.plan), rng)

    def __repr__(self) -> str:
        return f"Model({self.plan!r})"


def expect_scipy() -> None:
    """ModuleNotFoundError that says how to install SciPy, in whose sparse matrices weights lie."""
    if find_spec("scipy") is None:
        raise ModuleNotFoundError("models need SciPy: pip install 'latticework[models]'")


def samples(x: ArrayLike, plan: AnyPlan) -> NDArray[np.float64]:
    """x as rows (batch, features), images flattened; ValueError on other shapes, no rows, NaN, infinity."""
    return rows_of(x, plan.features, plan)


def rows_of(x: ArrayLike, features: int, plan: object) -> NDArray[np.float64]:
    """The same for a number of features; plan: what an error shows."""
    rows = np.atleast_2d(np.asarray(x, dtype=np.float64))
    if rows.ndim > 2 and math.prod(rows.shape[1:]) == features:
        rows = rows.reshape(len(rows), features)
    if rows.ndim != 2 or rows.shape[1] != features:
        given = f"{rows.shape[1]} columns" if rows.ndim == 2 else f"shape {rows.shape}"
        raise ValueError(f"x has {given}, expected {features} columns for {plan!r}")
    if len(rows) == 0:
        raise ValueError("x has 0 rows, expected at least one")
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"x holds {rows[row, column]} in row {row}, column {column} ({len(bad)} such values), "
            "expected finite numbers"
        )
    return rows
