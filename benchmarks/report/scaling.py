"""Which benchmarks differ in one parameter only: the curves of time against it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from benchmarks.results import Entry

Line = list[tuple[float, float]]
Curves = dict[tuple[str, str], dict[str, Line]]


def curves(entries: Sequence[Entry]) -> Curves:
    """(benchmark, parameter) -> {the other parameters: [(value, seconds)]}, lines of two points and more."""
    found: dict[tuple[str, str], dict[str, Line]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        scales = entry.extra.get("scales_with") or {}
        for name, value in scales.items():
            if entry.samples_s and isinstance(value, int | float):
                others = ", ".join(f"{k}={v}" for k, v in scales.items() if k != name)
                found[entry.id.partition("[")[0], name][others].append((float(value), entry.median_s))
    kept = {
        key: {label: line for label, line in lines.items() if len({x for x, _ in line}) > 1}
        for key, lines in found.items()
    }
    return {key: lines for key, lines in kept.items() if lines}
