"""The curves of time: against the one parameter that benchmarks differ in, and, computed, against latency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from benchmarks.report.numbers import spread
from benchmarks.results import Duel, Entry

LATENCIES_MS = (0, 1, 10, 40, 100)
BANDWIDTH = 100e6 / 8  # bytes a second
LATENCY = "latency of a message in ms, computed at 100 Mbit/s"
Line = list[tuple[float, float]]
Curves = dict[tuple[str, str], dict[str, Line]]


def curves(entries: Sequence[Entry]) -> Curves:
    """(benchmark, parameter) -> {the other parameters: [(value, seconds)]}, lines of two points and more."""
    found: dict[tuple[str, str], dict[str, Line]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        scales = entry.extra.get("scales_with") or {}
        for name, value in scales.items():
            if entry.samples_s and isinstance(value, int | float):
                others = ", ".join([*_words(entry, scales), *_others(name, scales)])
                found[entry.id.partition("[")[0], name][others].append((float(value), entry.median_s))
    kept = {
        key: {label: line for label, line in lines.items() if len({x for x, _ in line}) > 1}
        for key, lines in found.items()
    }
    return {key: lines for key, lines in kept.items() if lines}


def _words(entry: Entry, scales: dict[str, Any]) -> list[str]:
    """The words of the id that are none of the parameters: the verb, the direction."""
    parts = entry.id.partition("[")[2].removesuffix("]").split("-")
    known = set(map(str, scales.values()))
    return [part for part in parts if part.replace("_", "").isalpha() and part not in known]


def _others(name: str, scales: dict[str, Any]) -> list[str]:
    return [f"{k}={v}" for k, v in scales.items() if k != name]


def over_latency(entries: Sequence[Entry], duels: Sequence[Duel]) -> Curves:
    """What would be waited for on a network, by the rounds and bytes that were counted: as `curves`.

    A round costs one latency, a request to the dealer two, and bytes the time to send them one way. A duel's
    sides count bytes sent and received together.
    """
    found: Curves = defaultdict(dict)
    for entry in entries:
        if entry.samples_s and entry.extra.get("rounds") and "bytes_sent" in entry.extra:
            octets = entry.extra["bytes_sent"] + entry.extra.get("dealer_bytes", 0)
            name, _, parameters = entry.id.partition("[")
            line = _waiting(entry.median_s, entry.extra, octets)
            found[name, LATENCY][parameters.removesuffix("]")] = line
    for duel in duels:
        for name, side in (("ours", duel.ours), (duel.peer.name, duel.peer)):
            if side.samples_s and side.facts.get("rounds"):
                octets = side.facts["bytes"] / 2 + side.facts.get("dealer_bytes", 0)
                line = _waiting(spread(side.samples_s)[1], side.facts, octets)
                label = name if name != "ours" else f"ours beside {duel.peer.name}"
                found[f"::{duel.work}", LATENCY][f"{label}, {duel.case}"] = line
    return dict(found)


def _waiting(seconds: float, counted: dict[str, Any], octets: float) -> Line:
    rounds = counted["rounds"] + 2 * counted.get("dealer_rounds", 0)
    return [(ms, seconds + octets / BANDWIDTH + rounds * ms / 1e3) for ms in LATENCIES_MS]
