"""Which rows make up which step of a training, and how long the step is: public, and the same everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count, islice, repeat

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

SCHEDULES = ("constant", "cosine", "invscaling")


def factor(schedule: str, step: int, steps: int) -> float:
    """What the learning rate is multiplied by in step 0 <= step < steps.

    constant    1
    cosine      from 1 down to 0 (Loshchilov, Hutter, 2017, one cycle without restarts)
    invscaling  1 / sqrt(1 + step)
    """
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * step / steps))
    if schedule == "invscaling":
        return 1 / math.sqrt(1 + step)
    raise ValueError(f"schedule must be one of {list(SCHEDULES)}, got {schedule!r}")


def batches(rows: int, batch_size: int | None, steps: int, seed: int) -> Iterator[Rows]:
    """The row numbers of each step, `batch_size` of them, shuffled by the public seed; None is all in order.

    The last rows of an epoch that fill no batch are left out of it, so that all steps have one shape.
    """
    if batch_size is not None and not 1 <= batch_size <= rows:
        raise ValueError(f"batch_size must be from 1 to {rows}, the number of rows, got {batch_size}")
    rng = np.random.default_rng(seed)
    if batch_size is None:
        return repeat(np.arange(rows), steps)
    epochs = (rng.permutation(rows) for _ in count())
    starts = range(0, rows - batch_size + 1, batch_size)
    return islice((order[start : start + batch_size] for order in epochs for start in starts), steps)
