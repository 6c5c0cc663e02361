"""Polynomials in place of activations, fitted where the samples are: least squares or least largest error."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike

from he.model.convolution import Floats
from he.model.nonlinear import Activation, ActivationKind, Polynomial

Method: TypeAlias = Literal["least squares", "minimax"]

MARGIN = 0.25
"""Of the samples' range, added below and above: inputs to come lie a little outside of it."""
GRID = 2048
"""Points of the grid, dense at the ends as Chebyshev's are, for intervals of degree up to 63."""
FLOOR = 0.1
"""Share of the weights that lies evenly on the interval: polynomials stay small where no sample was."""


def fit(
    kind: ActivationKind,
    samples: ArrayLike,
    degree: int,
    *,
    margin: float = MARGIN,
    method: Method = "least squares",
) -> Polynomial:
    """The polynomial of this degree for an activation of inputs `samples`, on their range and a margin.

    'least squares' weighs errors as often as samples lie there; 'minimax' makes the largest error on the
    interval least, by linear programming on a grid (Powell, Approximation Theory and Methods, 1981, ch. 8).
    ValueError for samples with NaN or infinity, or for a degree below 1.
    """
    x = np.asarray(samples, dtype=np.float64).ravel()
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError(
            f"{x.size} samples given, {np.sum(~np.isfinite(x))} not finite, expected finite ones"
        )
    if degree < 1 or margin < 0:
        raise ValueError(f"degree {degree} and margin {margin} given, expected at least 1 and 0")
    a, b = interval_of(x, margin)
    grid = np.cos(np.pi * (np.arange(GRID) + 0.5) / GRID)
    values = Activation(kind)((a + b) / 2 + (b - a) / 2 * grid)
    basis = chebyshev.chebvander(grid, degree)
    if method == "minimax":
        coefficients = _minimax(np.asarray(basis, dtype=np.float64), values)
    else:
        weights = np.sqrt(_density((2 * x - a - b) / (b - a), grid))
        solved = np.linalg.lstsq(basis * weights[:, None], values * weights)[0]
        coefficients = np.asarray(solved, dtype=np.float64)
    return Polynomial(_trimmed(coefficients), (a, b), kind)


def interval_of(x: Floats, margin: float) -> tuple[float, float]:
    """The range of x and `margin` times its width on both sides; a little of it for a single value."""
    low, high = float(x.min()), float(x.max())
    room = margin * (high - low) or max(1.0, abs(low))
    return low - room, high + room


def _density(t: Floats, grid: Floats) -> Floats:
    """Weights of the grid's points: the share of the samples t in [-1, 1] around each, and a floor."""
    edges = np.concatenate([[1.0], (grid[1:] + grid[:-1]) / 2, [-1.0]])[::-1]
    widths = np.diff(edges)[::-1]
    bins = max(8, min(128, int(np.sqrt(t.size))))
    counts, bounds = np.histogram(t, bins=bins, range=(-1.0, 1.0), density=True)
    here = np.clip(np.searchsorted(bounds, grid, side="right") - 1, 0, bins - 1)
    return np.asarray(((1 - FLOOR) * counts[here] + FLOOR / 2) * widths)


def _minimax(basis: Floats, values: Floats) -> Floats:
    """Least e with |basis c - values| <= e at every point of the grid."""
    from scipy.optimize import linprog

    ones = np.ones((len(values), 1))
    above, below = np.hstack([basis, -ones]), np.hstack([-basis, -ones])
    target = np.zeros(basis.shape[1] + 1)
    target[-1] = 1.0
    solved = linprog(
        target,
        A_ub=np.vstack([above, below]),
        b_ub=np.concatenate([values, -values]),
        bounds=[(None, None)] * len(target),
        method="highs",
    )
    if not solved.success:
        raise ValueError(f"no polynomial of least largest error found: {solved.message}")
    return np.asarray(solved.x[:-1])


def _trimmed(coefficients: Floats) -> Floats:
    """Without last coefficients that are rounding only, at least of degree 1."""
    kept: Sequence[int] = np.flatnonzero(np.abs(coefficients) > 1e-13 * np.abs(coefficients).max()).tolist()
    return coefficients[: max(kept[-1], 1) + 1]
