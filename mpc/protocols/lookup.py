"""Is a small shared number a public one: one round of two bytes, with a dealt table.

For w in [0, m) and a dealt r the parties open c = w + r mod 2^16. Then w = v exactly where r = c - v mod m, m
a power of two, and that is one of the m entries of a dealt table: entry j says whether r = j mod m. (A table
lookup with a one-hot vector of the mask, as in Ishai, Kushilevitz, Meldgaard, Orlandi, Paskin-Cherniavsky,
TCC 2013.)

Security, semi-honest, against all parties but one, and the dealer sees nothing: c is the sum of a secret and
a dealt mask that is uniform mod 2^16, independent of all else and used once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mpc.protocols.opening import Array, Part, Protocol

# Of what a dealer deals: entries of a table.
LARGEST_TABLE = 256


class TableMask(NamedTuple):
    """One party's additive shares, uint64: of a uniform r, (n,), and of its table, (m, n)."""

    r: Array
    table: Array


def derive(r: Array, entries: int) -> Array:
    """The dealer's part: the table of r in the clear, (entries, n); `entries` is a power of two."""
    table: Array = np.arange(entries, dtype=np.uint64)[:, None] == r % np.uint64(entries)
    return table.astype(np.uint64)


def equals(w: Array, value: int, dealt: TableMask) -> Protocol[Array]:
    """This party's share of 1 where w is `value`, else 0, (n,) uint64; 0 <= w, value < m."""
    (c,) = yield [Part((w + dealt.r).astype(np.uint16))]
    entries = len(dealt.table)
    places = (c.astype(np.int64) - value) % entries
    result: Array = np.take_along_axis(dealt.table, places[None], axis=0)[0]
    return result
