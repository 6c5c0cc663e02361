"""Tables that several organisations hold parts of: scaling them and putting them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.engine import concatenate
from mpc.party import Party

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each column, shape (columns,): public once the model is released."""

    mean: Array
    deviation: Array

    @classmethod
    def of(cls, table: Array) -> Scaling:
        """Of a table (rows, columns) without gaps; a constant column gets deviation 1 and so becomes zero."""
        deviation = table.std(axis=0)
        return cls(table.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def apply(self, table: Array) -> Array:
        """(table - mean) / deviation, shape (rows, columns)."""
        scaled: Array = (table - self.mean) / self.deviation
        return scaled


def join_columns(party: Party, own: Array | None, widths: Mapping[str, int], rows: int) -> Any:
    """A secret table of shape (rows, sum of widths): each named party's columns, side by side in that order.

    `own` is this party's block of shape (rows, widths[name]), or None if it holds no columns. The rows must
    be the same records in the same order everywhere; the shapes are public.
    """
    blocks = []
    for name, width in widths.items():
        mine = own if name == party.name else None
        blocks.append(party.secret(mine, owner=name, size=(rows, width)))
    return concatenate(blocks, dim=1)


def join_rows(party: Party, own: Array | None, heights: Mapping[str, int], columns: int) -> Any:
    """A secret table of shape (sum of heights, columns): each named party's rows, one after the other.

    `own` is this party's block of shape (heights[name], columns), or None if it holds no rows.
    """
    blocks = []
    for name, height in heights.items():
        mine = own if name == party.name else None
        blocks.append(party.secret(mine, owner=name, size=(height, columns)))
    return concatenate(blocks, dim=0)
