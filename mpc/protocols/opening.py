"""Openings of several protocols in one message: each yields what it wants opened, and is sent the values.

A protocol is a generator, so that protocols which do not need each other run side by side and share rounds.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

Array = np.ndarray[Any, Any]
Result = TypeVar("Result")


class Part(NamedTuple):
    """One party's share of what is to be opened: of words (uint64, added) or bits (uint8, exclusive or)."""

    share: Array

    @property
    def bitwise(self) -> bool:
        """Shared by exclusive or, in bytes; else by addition mod 2^64."""
        return bool(self.share.dtype == np.uint8)


# Yields parts, is sent the opened arrays of the same shapes, and returns its result.
Protocol = Generator[list[Part], list[Array], Result]
# Gives all parties' bytes, from one's own.
Gather = Callable[[Array], Sequence[Array]]


def together(protocols: Sequence[Protocol[Result]], gather: Gather) -> list[Result]:
    """Run the protocols to their ends; each step of all that still run is one call of `gather`."""
    results: dict[int, Result] = {}
    answers: dict[int, list[Array] | None] = dict.fromkeys(range(len(protocols)))
    while answers:
        wanted = {}
        for place, opened in answers.items():
            try:
                # The first step of a generator is sent None.
                wanted[place] = protocols[place].send(opened)  # type: ignore[arg-type]
            except StopIteration as stop:
                results[place] = stop.value
        answers = _open(wanted, gather) if wanted else {}
    return [results[place] for place in range(len(protocols))]


def _open(wanted: dict[int, list[Part]], gather: Gather) -> dict[int, list[Array] | None]:
    parts = [part for group in wanted.values() for part in group]
    message = np.concatenate([np.ascontiguousarray(part.share).reshape(-1).view(np.uint8) for part in parts])
    received = gather(message)
    opened, start = [], 0
    for part in parts:
        end = start + part.share.nbytes
        shares = [data[start:end].copy().view(part.share.dtype) for data in received]
        value = functools.reduce(operator.xor if part.bitwise else operator.add, shares)
        opened.append(value.reshape(part.share.shape))
        start = end
    values = iter(opened)
    return {place: [next(values) for _ in group] for place, group in wanted.items()}
