"""Which dealt tuple serves which request, foreseen from what the program has asked for so far.

A training loop asks for the same tuples in the same order step after step. Every party sees the same
requests, so all foresee the same ones and give them the same numbers without a word between them; the first
party can then have them sent before they are needed.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import NamedTuple

import msgpack
import numpy as np

from mpc.dealer.tuples import Request, sent_sizes

# As many requests back as tell apart the places where one kind repeats, such as an exponential's squarings.
CONTEXT = 32
# Places remembered before the oldest is forgotten.
MEMORY = 1 << 16
# What may be ordered ahead: this many tuples, with this many words for the first party together (64 MiB).
AHEAD_TUPLES = 256
AHEAD_WORDS = 1 << 23


class Numbered(NamedTuple):
    """A request and the number of the tuple that serves it; numbers count up and are never used twice."""

    number: int
    request: Request


class Taken(NamedTuple):
    """What one request leads to: tuples to order now, ordered ones not wanted, and the one to use."""

    order: list[Numbered]
    unwanted: list[Numbered]
    use: Numbered
    foreseen: bool


class Schedule:
    """Gives numbers to requests; the same sequence of requests gives the same numbers at every party."""

    def __init__(self) -> None:
        self._next_number = 0
        self._recent: deque[Request] = deque(maxlen=CONTEXT)
        self._followed: OrderedDict[tuple[Request, ...], Request] = OrderedDict()
        self._ahead: deque[Numbered] = deque()
        self._ahead_words = 0
        # The last CONTEXT requests at the end of what is ordered ahead.
        self._horizon: deque[Request] = deque(maxlen=CONTEXT)

    def take(self, request: Request) -> Taken:
        """The program asks for `request` now."""
        self._learn(request)
        if self._ahead and self._ahead[0].request == request:
            use = self._ahead.popleft()
            self._ahead_words -= words_of(request)
            return Taken(self._look_ahead(), [], use, foreseen=True)
        unwanted = self.outstanding()
        self._ahead.clear()
        self._ahead_words = 0
        use = self._number(request)
        self._horizon = self._recent.copy()
        return Taken([use, *self._look_ahead()], unwanted, use, foreseen=False)

    def count(self) -> int:
        """A number for a tuple that nobody foresees."""
        self._next_number += 1
        return self._next_number - 1

    def outstanding(self) -> list[Numbered]:
        """Tuples ordered and not used, in order."""
        return list(self._ahead)

    def to_bytes(self) -> bytes:
        """All of it: a schedule read back gives the same numbers to the same requests."""
        places: dict[Request, int] = {}

        def place(request: Request) -> int:
            return places.setdefault(request, len(places))

        followed = [[*map(place, recent), place(request)] for recent, request in self._followed.items()]
        content = {
            "next_number": self._next_number,
            "recent": [place(request) for request in self._recent],
            "horizon": [place(request) for request in self._horizon],
            "ahead": [(number, place(request)) for number, request in self._ahead],
            "followed": np.array(followed, dtype="<u4").tobytes(),
            "requests": [request.to_bytes() for request in places],
        }
        packed: bytes = msgpack.packb(content)
        return packed

    @classmethod
    def from_bytes(cls, data: bytes) -> Schedule:
        """What `to_bytes` gave, of a schedule that another process goes on with."""
        content = msgpack.unpackb(data)
        requests = [Request.from_bytes(request) for request in content["requests"]]
        schedule = cls()
        schedule._next_number = content["next_number"]
        schedule._recent.extend(requests[place] for place in content["recent"])
        schedule._horizon.extend(requests[place] for place in content["horizon"])
        schedule._ahead.extend(Numbered(number, requests[place]) for number, place in content["ahead"])
        schedule._ahead_words = sum(words_of(request) for _, request in schedule._ahead)
        followed = np.frombuffer(content["followed"], dtype="<u4").reshape(-1, CONTEXT + 1)
        for *recent, request in followed.tolist():
            schedule._followed[tuple(requests[place] for place in recent)] = requests[request]
        return schedule

    def _learn(self, request: Request) -> None:
        if len(self._recent) == CONTEXT:
            self._followed[tuple(self._recent)] = request
            if len(self._followed) > MEMORY:
                self._followed.popitem(last=False)
        self._recent.append(request)

    def _look_ahead(self) -> list[Numbered]:
        """Foresee as many requests as the bounds allow."""
        order = []
        while len(self._ahead) < AHEAD_TUPLES:
            request = self._followed.get(tuple(self._horizon))
            if request is None or self._ahead_words + words_of(request) > AHEAD_WORDS:
                break
            numbered = self._number(request)
            self._ahead.append(numbered)
            self._ahead_words += words_of(request)
            self._horizon.append(request)
            order.append(numbered)
        return order

    def _number(self, request: Request) -> Numbered:
        return Numbered(self.count(), request)


def words_of(request: Request, first: bool = True) -> int:
    """The words that the dealer sends of a tuple: to the first party, or to each of the others."""
    return sum(math.prod(size) for size in sent_sizes(request, first))
