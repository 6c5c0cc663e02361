"""What parties with different rows of one table agree on first: categories, means and deviations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.data import Scaling, join_rows
from mpc.exchange import tell_all
from mpc.party import Party
from mpc.table import MISSING, numbers, refuse
from mpc.tensors import inverse_sqrt, positive, zeros_like

Array = npt.NDArray[np.float64]
# Columns are shared as multiples of bound / 64, so that variances from (bound / 256)^2 to bound^2 keep enough
# of the 16 fractional bits: they are from 2^-4 to 2^12 in that unit.
_SCALE = 64.0
_LOW, _HIGH = 2.0**-4, 2.0**12
# The part of a column that is there is shared so finely because squared means of up to 2^12 multiply it.
_FINE = 1024


def agree_on_categories(party: Party, values: Sequence[Any]) -> list[Any]:
    """The sorted categories that occur at any party, for `one_hot`; strings or whole numbers, no gaps.

    Every party tells all others which categories occur in its rows. Where that is too much, use a list that
    is public beforehand.
    """
    own = set(values)
    if odd := {type(value).__name__ for value in own if not isinstance(value, str | int | np.integer)}:
        raise TypeError(f"categories must be strings or whole numbers, got {sorted(odd)}")
    told = tell_all(party, [str(value) if isinstance(value, str) else int(value) for value in own])
    for name, values in zip(party.names, told, strict=True):
        if not isinstance(values, list) or not all(isinstance(value, str | int) for value in values):
            raise ValueError(f"{name} told something else than a list of categories")
    together = {value for values in told for value in values}
    if len({type(value) for value in together}) > 1:
        raise ValueError("categories are text at one party and numbers at another: make them alike first")
    return sorted(together)


@dataclass(frozen=True, repr=False)
class JointScaling:
    """Means and deviations of the columns of a table whose rows lie with several parties: secret.

    Public are only the `bounds` that the parties agreed on beforehand: no entry of column j is above
    bounds[j] in magnitude. The closer they are, the better: a deviation of bound / 64 is found within 1 %,
    one of bound / 16 within 0.1 %; a column whose deviation is below bound / 256 counts as constant and
    becomes 0.
    """

    bounds: Array
    _mean: Any
    _inverse: Any
    _missing: str

    @classmethod
    def of(
        cls,
        party: Party,
        own: Any,
        heights: Mapping[str, int],
        bounds: Sequence[float],
        missing: str = "refuse",
    ) -> JointScaling:
        """Computed on shares of each party's counts, sums and sums of squares.

        `own` is this party's table of shape (heights[name], columns). With `missing="mean"` its gaps (NaN)
        count as the joint mean of their column, of which at least a hundredth must be there.
        """
        if missing not in MISSING:
            raise ValueError(f"missing must be one of {list(MISSING)}, got {missing!r}")
        limits = np.asarray(bounds, dtype=np.float64)
        if limits.ndim != 1 or not (np.isfinite(limits) & (limits > 0)).all():
            raise ValueError(f"one positive bound a column was expected, got {bounds}")
        values, known = _units(own, limits, missing)
        rows = sum(heights.values())
        moments = np.stack([known.sum(axis=0), values.sum(axis=0), (values**2).sum(axis=0)]) / rows
        total = _sum_over_parties(party, moments * [[_FINE], [1.0], [1.0]], heights)
        share, mean, square = total[0:1], total[1:2], total[2:3]
        if missing == "mean":
            first = mean * share.div(_FINE).reciprocal()
            # Sum of (x - first)^2 over the entries there; an error of `first` counts only squared.
            square = square - first * mean * 2.0 + (first * first * share).div(_FINE)
            mean = first
        else:
            square = square - mean * mean
        varies = positive(square - _LOW)
        inverse = inverse_sqrt((square - _LOW) * varies + _LOW, _LOW, _HIGH)
        return cls(limits, mean, inverse * varies, missing)

    def join(self, party: Party, own: Any, heights: Mapping[str, int]) -> Any:
        """All parties' rows, standardised: secret, shape (sum of heights, columns); a gap becomes 0."""
        values, known = _units(own, self.bounds, self._missing)
        shared = join_rows(party, values, heights, len(self.bounds))
        if self._missing == "refuse":
            return (shared - self._mean) * self._inverse
        return (shared - join_rows(party, known, heights, len(self.bounds)) * self._mean) * self._inverse

    def reveal(self, party: Party, *, to: Sequence[str | int]) -> Scaling | None:
        """Means and deviations in the clear at the parties named in `to`, None at all others.

        The deviation of a constant column is infinite, so that applying the scaling makes it 0 as well.
        """
        if isinstance(to, str) or not to:
            raise ValueError(f"to must be a list of the parties that get the scaling, got {to!r}")
        shown = [(party.reveal(self._mean, one), party.reveal(self._inverse, one)) for one in to]
        for mean, inverse in shown:
            if mean is not None and inverse is not None:
                unit = self.bounds / _SCALE
                with np.errstate(divide="ignore"):
                    return Scaling(mean.double().numpy()[0] * unit, unit / inverse.double().numpy()[0])
        return None


def _units(own: Any, bounds: Array, missing: str) -> tuple[Array, Array]:
    """The table in multiples of bound / 64 with 0 in its gaps, and 1 where there is no gap."""
    values = numbers(own, len(bounds))
    gaps = np.isnan(values)
    if missing == "refuse":
        refuse(gaps, "every entry must be a finite number")
    refuse(np.abs(values) > bounds, "entries must be within their column's bound")
    return np.where(gaps, 0.0, values * (_SCALE / bounds)), (~gaps).astype(np.float64)


def _sum_over_parties(party: Party, own: Array, heights: Mapping[str, int]) -> Any:
    parts = [
        party.secret(own if name == party.name else None, owner=name, size=own.shape) for name in heights
    ]
    return sum(parts[1:], start=zeros_like(parts[0]) + parts[0])
