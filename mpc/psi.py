"""Which records do we all have? Private set intersection of record ids, and the rows in one common order."""

from __future__ import annotations

import math
import numbers
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.exchange import CHUNK_ROWS, swap, tell_all
from mpc.group import POINT_BYTES, Mask, Points
from mpc.party import Party

Rows = npt.NDArray[np.int64]
# A table of points takes 32 bytes an id: 8 GiB.
MOST_IDS = 1 << 28


@dataclass(frozen=True, repr=False)
class Alignment:
    """Which of this party's rows take part, and which do not; all are indices of its own table.

    rows         of the common records, in the order that all parties have: table[alignment.rows]
    unmatched    rows with an id that some other party does not have
    repeated     rows whose id stood in an earlier row already
    without_id   rows with no id (None, NaN or "")
    """

    rows: Rows
    unmatched: Rows
    repeated: Rows
    without_id: Rows

    def __repr__(self) -> str:
        return (
            f"Alignment({len(self.rows)} common rows, {len(self.unmatched)} unmatched, "
            f"{len(self.repeated)} repeated, {len(self.without_id)} without id)"
        )


def align(party: Party, ids: Iterable[Any], *, repeated: str = "refuse") -> Alignment:
    """The records that all parties have, by private set intersection on their ids.

    `ids` holds one id a row: strings, or whole numbers, which count as their decimal text. Text is compared
    exactly. An id that stands in several rows raises ValueError, or counts once (`repeated="first"`).

    Each id is hashed to a group and raised to every party's fresh secret exponent in turn (Meadows, 1986;
    Huberman, Franklin, Hogg, 1999); equal ids give equal points whatever the order of the exponents. Secure
    against semi-honest parties under the decisional Diffie-Hellman assumption in edwards25519 with the hash
    as a random oracle. A quantum computer breaks that assumption; since the points travel through
    post-quantum channels, only the parties themselves could ever use one on them.

    What each of two parties learns: the other's number of different ids, and which of its own ids the other
    has. With three parties each learns that about each of the two others, and how many ids those two share;
    if that is too much, do not align three tables this way. Nobody learns an id that it does not hold.
    """
    first, blank, again = _distinct(ids, repeated)
    # Shuffled, so that the place of a point in the list says nothing about the row it came from.
    shuffled = secrets.SystemRandom().sample(list(first.items()), len(first))
    lists = _mask_by_all(party, [text for text, _ in shuffled])
    common = set.intersection(*(set(points) for points in lists.values()))
    matched = sorted(
        (point, row) for point, (_, row) in zip(lists[party.rank], shuffled, strict=True) if point in common
    )
    rows = [row for _, row in matched]
    return Alignment(_rows(rows), _rows(sorted(set(first.values()) - set(rows))), _rows(again), _rows(blank))


def _distinct(ids: Iterable[Any], repeated: str) -> tuple[dict[bytes, int], list[int], list[int]]:
    """The first row of each id; rows without an id; rows with one that stood there before."""
    if repeated not in ("refuse", "first"):
        raise ValueError(f"repeated must be 'refuse' or 'first', got {repeated!r}")
    first: dict[bytes, int] = {}
    blank, again = [], []
    for row, value in enumerate(ids):
        text = _text(value, row)
        if text is None:
            blank.append(row)
        elif text in first:
            again.append(row)
        else:
            first[text] = row
    if again and repeated == "refuse":
        raise ValueError(
            f"{len(again)} rows repeat an id of an earlier row, the first is row {again[0]}: "
            "one row per record was expected (repeated='first' keeps the first of each)"
        )
    return first, blank, again


def _text(value: Any, row: int) -> bytes | None:
    """The id as bytes, None where there is none. Errors name the row and never the id."""
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value.encode() or None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return str(int(value)).encode()
    # pandas turns a column of whole numbers with a gap into floats.
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value)).encode()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise TypeError(f"an id must be a string or a whole number, row {row} holds a {type(value).__name__}")


def _mask_by_all(party: Party, ids: list[bytes]) -> dict[int, list[bytes]]:
    """Everybody's ids under everybody's mask, by owner's rank; each owner's stay in the owner's order.

    Lists go round: each party masks what the previous one sent, and the last to mask a list gives it to all.
    """
    mask, counts = Mask(CHUNK_ROWS), _counts(party, len(ids))
    ranks, rank = party.world_size, party.rank
    following, previous = (rank + 1) % ranks, (rank - 1) % ranks
    masked, owner = mask.texts(ids), rank
    for _ in range(ranks - 1):
        owner = (owner - 1) % ranks
        arrived = swap(party, masked, [following], {previous: counts[owner]}, POINT_BYTES)
        masked = mask.points(arrived[previous])
    finished = list(masked)
    owner_at = {peer: (peer + owner - rank) % ranks for peer in range(ranks) if peer != rank}
    rows = {peer: counts[of] for peer, of in owner_at.items()}
    arrived = swap(party, finished, list(rows), rows, POINT_BYTES)
    own_part = {owner: [point for chunk in finished for point in _points(chunk)]}
    return own_part | {owner_at[peer]: _points(table) for peer, table in arrived.items()}


def _counts(party: Party, own: int) -> list[int]:
    counts = tell_all(party, own)
    for name, told in zip(party.names, counts, strict=True):
        if type(told) is not int or not 0 <= told <= MOST_IDS:
            raise ValueError(f"{name} announced no number of ids from 0 to {MOST_IDS}")
    return counts


def _points(table: Points) -> list[bytes]:
    return [point.tobytes() for point in table]


def _rows(rows: list[int]) -> Rows:
    return np.array(rows, dtype=np.int64)
