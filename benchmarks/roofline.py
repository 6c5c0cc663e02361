"""How near a kernel comes to what the machine allows (Williams et al. 2009).

A kernel needs at least its bytes divided by the bandwidth, and at least its products divided by the products
a second; the larger of the two is its limit. Bytes are the compulsory ones: every operand and table once. The
bandwidth is the one measured for a working set of that size, so that what fits in a cache is held against it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.results import Entry

MULTIPLIES_PER_BUTTERFLY = 3  # Harvey 2014: high word of x w', low words of x w and of q times the quotient
MULTIPLIES_PER_PRODUCT = 5  # Barrett: two words of x y, one of the quotient, two to take it away


@dataclass(frozen=True)
class Point:
    """One kernel on the roofline; fraction: of the limit that binds, at most 1 if bytes and products are."""

    id: str
    seconds: float
    bytes_moved: int
    multiplies: int
    bound: str
    fraction: float

    @property
    def intensity(self) -> float:
        """Products a byte."""
        return self.multiplies / self.bytes_moved


def bandwidth_at(limits: dict[str, Any], working_set: float) -> float:
    """Bytes a second for a working set, between the sizes that were measured: linear in the logarithms."""
    known = sorted((int(size), speed) for size, speed in limits["bandwidth"].items())
    if working_set <= known[0][0]:
        return float(known[0][1])
    for (small, fast), (large, slow) in pairwise(known):
        if working_set <= large:
            share = math.log(working_set / small) / math.log(large / small)
            return math.exp((1 - share) * math.log(fast) + share * math.log(slow))
    return float(known[-1][1])


def place(entry: Entry, limits: dict[str, Any]) -> Point | None:
    """Where a benchmark stands, None if it does not say what it moves and multiplies, or did not pass."""
    moved, multiplies = entry.extra.get("bytes_moved"), entry.extra.get("multiplies")
    if not entry.samples_s or not moved or multiplies is None or not limits:
        return None
    threads = entry.extra.get("threads", 1)
    memory_s = moved / bandwidth_at(limits, moved) / threads
    products_s = multiplies / limits["multiplies_per_s"] / threads
    bound = "bandwidth" if memory_s > products_s else "products"
    seconds = min(entry.samples_s)
    return Point(entry.id, seconds, moved, multiplies, bound, max(memory_s, products_s) / seconds)
