"""What changed between two stored runs beyond noise.

A time has changed if the whole confidence interval of the ratio of medians lies beyond the tolerance: within
one run repetitions are not independent, so that a small shift is no news. Duels are compared by their ratios
to the peer, which a slower or busier machine moves less than it moves times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.spread import ratio_interval

TOLERANCE = 0.05


@dataclass(frozen=True)
class Change:
    """after / before of one time, with the ends of its confidence interval; above 1 is slower."""

    id: str
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """slower, faster or same."""
        if self.low > 1 + TOLERANCE:
            return "slower"
        return "faster" if self.high < 1 / (1 + TOLERANCE) else "same"


@dataclass(frozen=True)
class Comparison:
    """changes of what both have; gone: passed before and not now; new: the other way round."""

    changes: list[Change]
    gone: list[str]
    new: list[str]

    @property
    def worse(self) -> bool:
        """Whether anything became slower, or passed before and does not now."""
        return bool(self.gone) or any(change.verdict == "slower" for change in self.changes)


def compare(before: Results, after: Results) -> Comparison:
    """Every benchmark and every duel of two runs."""
    old, new = _samples(before), _samples(after)
    changes = [_change(name, old[name], new[name]) for name in old if name in new]
    return Comparison(changes, [n for n in old if n not in new], [n for n in new if n not in old])


def _samples(results: Results) -> dict[str, Sequence[float]]:
    """Times of benchmarks; of duels how much of the peer's time ours takes, so that more is slower too."""
    times: dict[str, Sequence[float]] = {e.id: e.samples_s for e in results.entries if e.samples_s}
    shares = {d.id: [1 / ratio for ratio in d.ratios] for d in results.duels if d.ratios}
    return times | shares


def _change(name: str, before: Sequence[float], after: Sequence[float]) -> Change:
    low, high = ratio_interval(before, after)
    middle = sorted(after)[len(after) // 2] / sorted(before)[len(before) // 2]
    return Change(name, middle, low, high)
