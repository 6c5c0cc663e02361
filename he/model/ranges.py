"""Ranges of a network's inputs, for a client to see which of its own lie outside of what was fitted.

They stand in the plan, which every client gets: so they are the samples' ranges and a margin, rounded outward
to a power of ten of a twentieth of their width or more, which blurs the extremes of the samples.
"""

import math
from itertools import groupby
from typing import TypeAlias

import numpy as np

from he.model.activation import MARGIN, interval_of
from he.model.convolution import Floats

Ranges: TypeAlias = tuple[tuple[int, float, float], ...]
"""Runs of features of one range: (how many, low, high); empty where nothing was fitted."""


def of_samples(rows: Floats) -> Ranges:
    """Of samples (count, features)."""
    found = [_rounded(*interval_of(column, MARGIN)) for column in rows.T]
    return tuple((len(list(run)), *limits) for limits, run in groupby(found))


def checked(given: object, features: int) -> Ranges:
    """Ranges from outside; ValueError unless they are those of so many features."""
    runs = []
    for run in given if isinstance(given, list) else [None]:
        if not isinstance(run, list) or len(run) != 3 or type(run[0]) is not int or run[0] < 1:
            raise ValueError(f"ranges are {given!r:.100}, expected runs of [count, low, high]")
        low, high = run[1:]
        if not all(type(v) in (int, float) and math.isfinite(v) for v in (low, high)) or low >= high:
            raise ValueError(f"a range is {run[1:]!r:.100}, expected two ascending numbers")
        runs.append((run[0], float(low), float(high)))
    total = sum(count for count, _, _ in runs)
    if runs and total != features:
        raise ValueError(f"ranges of {total} features given, expected {features}")
    return tuple(runs)


def complaint(ranges: Ranges, rows: Floats) -> str:
    """What to say of samples (count, features) outside, empty if all lie inside or there are no ranges."""
    if not ranges:
        return ""
    counts = [count for count, _, _ in ranges]
    low, high = (np.repeat([run[side] for run in ranges], counts) for side in (1, 2))
    beyond = np.maximum(low - rows, rows - high) / (high - low)
    out = (beyond > 0).any(axis=1)
    if not out.any():
        return ""
    row, column = np.unravel_index(int(beyond.argmax()), beyond.shape)
    return (
        f"{int(out.sum())} of {len(rows)} samples lie outside the range that the model was fitted on, the "
        f"farthest by {beyond.max():.2g} times its width (row {row}, column {column}: "
        f"{rows[row, column]:.4g}, expected {low[column]:g} to {high[column]:g}): their scores, and those "
        "beside them in a ciphertext, may be wrong"
    )


def _rounded(low: float, high: float) -> tuple[float, float]:
    unit = 10.0 ** math.floor(math.log10((high - low) / 2))
    return float(f"{math.floor(low / unit) * unit:.12g}"), float(f"{math.ceil(high / unit) * unit:.12g}")
