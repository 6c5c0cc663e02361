"""Medians with their uncertainty, by the bootstrap (Efron 1979): resample with replacement, percentiles."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
LEVEL = 0.95


def medians(samples: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    """The medians of RESAMPLES resamples."""
    values = np.asarray(samples, dtype=np.float64)
    picks = rng.integers(0, len(values), (RESAMPLES, len(values)))
    return np.asarray(np.median(values[picks], axis=1))


def interval(samples: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the median; the same samples give the same interval."""
    return _ends(medians(samples, np.random.default_rng(0)))


def ratio_interval(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of median(after) / median(before)."""
    rng = np.random.default_rng(0)
    return _ends(medians(after, rng) / medians(before, rng))


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
