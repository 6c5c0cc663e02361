"""Evaluation: the accuracy of a model on a whole data set, and what of it left the fitted ranges."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from he import layouts
from he.layouts import AnyPlan, Weights
from he.model.outside import Outside, scores_and_outside

STEPPED = 16
"""Samples that go through the plan's own steps; what they lose there is the noise of all others."""
FAR = 16
"""A sample that loses so many times what the others do is out of range: its errors are not noise."""


class Evaluation(float):
    """Share of the samples whose class is right, from 0 to 1; a float that also says what was out of range.

    outside: for each activation with inputs outside the range its polynomial was fitted on, how many samples
    and how far; empty if all lie inside. Scores of such samples may be far from the network's own, and where
    they overflow, so are those of all samples in the same ciphertext.
    """

    outside: tuple[Outside, ...]

    def __new__(cls, share: float, outside: tuple[Outside, ...]) -> Self:
        """The share of classes that agree, between 0 and 1, and which samples left the fitted ranges."""
        self = super().__new__(cls, share)
        self.outside = outside
        return self

    def __str__(self) -> str:
        return "\n".join([float.__repr__(self), *map(str, self.outside)])

    __repr__ = __str__

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (float(self), self.outside)


def noisy_scores(
    plan: AnyPlan, weights: Weights, rows: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], tuple[Outside, ...]]:
    """(scores (count, outputs) of samples (count, features), what was out of range), under CKKS's noise.

    The first samples, at least STEPPED, go through the plan's steps with the noise of each. All others get
    the network's scores and normal noise of the root mean square that those differ by: the same in
    distribution as far as noise does not depend on the sample, and thousands of samples a minute.
    """
    exact, outside = scores_and_outside(weights, rows)
    first = max(STEPPED, plan.samples)
    stepped, _ = layouts.clear(plan, weights, rows[:first], rng)
    others = exact[first:] + rng.normal(0.0, _deviation(stepped - exact[:first]), exact[first:].shape)
    return np.concatenate([stepped, others]), outside


def _deviation(lost: NDArray[np.float64]) -> float:
    """Root mean square of errors (count, outputs), without samples so far out of range that they overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.mean(lost**2, axis=1)
    usual = np.nanmedian(squares)
    return float(np.sqrt(np.mean(squares[squares <= FAR**2 * usual])))
