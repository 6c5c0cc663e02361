"""Which values leave the intervals that polynomials were fitted on: beyond them they soon mean nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from he.model.blocks import Block
from he.model.convolution import Floats
from he.model.nonlinear import Polynomial

AT_ONCE = 512
"""Samples whose values are kept at one time."""


@dataclass(frozen=True)
class Outside:
    """Of a block whose polynomial stands for an activation on `interval`: `samples` of `count` samples give
    it `values` values outside, the farthest at this distance, in the unit of the values.
    """

    name: str
    samples: int
    count: int
    values: int
    farthest: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        a, b = self.interval
        return (
            f"{self.samples} of {self.count} samples leave [{a:.4g}, {b:.4g}] in {self.name}, by up to "
            f"{self.farthest:.3g} ({self.values} values)"
        )


def scores_and_outside(blocks: Sequence[Block], rows: Floats) -> tuple[Floats, tuple[Outside, ...]]:
    """(scores (count, outputs) of samples (count, features), in float64; the blocks with values outside)."""
    scores, found = [], dict[int, list[tuple[int, int, float]]]()
    for chunk in (rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)):
        values = [chunk]
        for place, block in enumerate(blocks):
            given = np.concatenate([values[s + 1] for s in block.sources], axis=1)
            sums = np.asarray(block.matrix @ given.T).T + block.bias
            if isinstance(block.activation, Polynomial) and block.activation.approximates:
                found.setdefault(place, []).append(_beyond(sums, block.activation.interval))
            with np.errstate(over="ignore", invalid="ignore"):
                values.append(sums if block.activation is None else block.activation(sums))
        scores.append(values[-1])
    return np.concatenate(scores), tuple(
        Outside(blocks[place].name, samples, len(rows), number, farthest, blocks[place].activation.interval)  # type: ignore[union-attr]
        for place, parts in found.items()
        for samples, number, farthest in [_together(parts)]
        if number
    )


def _beyond(sums: Floats, interval: tuple[float, float]) -> tuple[int, int, float]:
    """(samples, values, farthest)."""
    distance = np.maximum(interval[0] - sums, sums - interval[1])
    out = ~(distance <= 0)  # a value that is no number any more is outside too
    return int(out.any(axis=1).sum()), int(out.sum()), float(np.nan_to_num(distance, nan=np.inf).max())


def _together(parts: Sequence[tuple[int, int, float]]) -> tuple[int, int, float]:
    samples, values, farthest = zip(*parts, strict=True)
    return sum(samples), sum(values), max(farthest)
