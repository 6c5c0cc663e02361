"""Which dealt tuple serves which request, foreseen from what the program has asked for so far.

A training loop asks for the same tuples in the same order step after step. Every party sees the same
requests, so all foresee the same ones and give them the same numbers without a word between them; the first
party can then have them sent before they are needed.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from typing import NamedTuple

from mpc.dealer.tuples import Request, derived_sizes

# As many requests back as tell apart the places where one kind repeats, such as an exponential's squarings.
CONTEXT = 32
# Places remembered before the oldest is forgotten.
MEMORY = 1 << 16
# What may be ordered ahead: this many tuples, with this many words of corrections together (16 MiB).
AHEAD_TUPLES = 256
AHEAD_WORDS = 1 << 21


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
            self._ahead_words -= _words(request)
            return Taken(self._look_ahead(), [], use, foreseen=True)
        unwanted = self.outstanding()
        self._ahead.clear()
        self._ahead_words = 0
        use = self._number(request)
        self._horizon = self._recent.copy()
        return Taken([use, *self._look_ahead()], unwanted, use, foreseen=False)

    def outstanding(self) -> list[Numbered]:
        """Tuples ordered and not used, in order."""
        return list(self._ahead)

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
            if request is None or self._ahead_words + _words(request) > AHEAD_WORDS:
                break
            numbered = self._number(request)
            self._ahead.append(numbered)
            self._ahead_words += _words(request)
            self._horizon.append(request)
            order.append(numbered)
        return order

    def _number(self, request: Request) -> Numbered:
        self._next_number += 1
        return Numbered(self._next_number - 1, request)


def _words(request: Request) -> int:
    return sum(math.prod(size) for size in derived_sizes(request))
