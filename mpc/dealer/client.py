"""One party's side of the dealer: its shares of each tuple, ordered before they are needed where foreseen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from mpc.dealer.arrivals import Arrivals
from mpc.dealer.schedule import Numbered, Schedule, words_of
from mpc.dealer.service import NEW_KEYS, pack_orders
from mpc.dealer.tuples import Request, Shape, corrections, draw_derived, draw_free, sent_sizes
from mpc.randomness import Stream, new_key
from mpc.transport import lost
from pqc import ChannelError
from pqc.channel import Channel

T = TypeVar("T")


class Source(Protocol):
    """Where what the dealer sends one party comes from."""

    @property
    def bytes_received(self) -> int:
        """Of the tuples given so far, in the channel."""
        ...

    def order(self, tuples: Sequence[Numbered]) -> None:
        """Ask for tuples; returns at once. All parties call it alike, and the first one's order counts."""
        ...

    def next(self, wanted: Numbered) -> list[torch.Tensor]:
        """The parts sent of the oldest tuple ordered and not yet given, which must be `wanted`."""
        ...

    def restart(self, key: bytes) -> None:
        """Deal from this key from now on; nothing may be on order."""
        ...


class Stocked(Protocol):
    """Tuples that were dealt before."""

    def take(self, request: Request) -> list[torch.Tensor] | None:
        """This party's shares of one that was never taken, or None where there is none left."""
        ...


class DealerClient:
    """`deal(request)` gives this party's shares of all parts, freely drawn ones first.

    All parties must ask for the same requests in the same order. `rounds` counts the requests that were not
    foreseen and wait for the dealer: at the first party all of them, at the others those with common parts.
    """

    def __init__(self, key: bytes, source: Source, first: bool) -> None:
        self._key = key
        self._source = source
        self._first = first
        self._schedule = Schedule()
        self._from_stock = True
        self._last_number = -1
        self.stock: Stocked | None = None
        self.dealt: Counter[Request] = Counter()
        self.rounds = 0

    @property
    def bytes_received(self) -> int:
        """From the dealer, for what was used or is not wanted any more; what is on order does not count."""
        return self._source.bytes_received

    def restart(self, key: bytes, schedule: Schedule | None = None, *, stocked: bool = True) -> None:
        """Go on with streams of another key; all parties must do so at the same place of the program.

        Where requests may be repeated, tuples must not come from a stock: `stocked` is False until the next
        restart.

        With the key and the schedule of an earlier moment the same requests get the same tuples as then:
        only for repeating what was computed then with exactly the same values, or masks would cover two.
        """
        self.finish()
        self._source.restart(key)
        self._key = key
        self._last_number = -1
        self._from_stock = stocked
        self._schedule = schedule or Schedule()
        if outstanding := self._schedule.outstanding():
            self._source.order(outstanding)

    def schedule(self) -> bytes:
        """What `restart` needs beside the key to go on from here, by `Schedule.from_bytes`."""
        return self._schedule.to_bytes()

    def deal(self, request: Request) -> list[torch.Tensor]:
        """Raises RuntimeError rather than give a tuple of this key a second time."""
        self.dealt[request] += 1
        if self.stock is not None and self._from_stock and (parts := self.stock.take(request)) is not None:
            return parts
        taken = self._schedule.take(request)
        if taken.use.number <= self._last_number:
            raise RuntimeError(f"tuple {taken.use.number} would be used after tuple {self._last_number}")
        self._last_number = taken.use.number
        stream = Stream(self._key, taken.use.number)
        drawn = draw_free(request, stream) + ([] if self._first else draw_derived(request, stream))
        self.rounds += 1 if not taken.foreseen and sent_sizes(request, self._first) else 0
        if taken.order:
            self._source.order(taken.order)
        for unwanted in taken.unwanted:
            self._source.next(unwanted)
        return drawn + self._source.next(taken.use)

    def sent(self, tuples: Sequence[Numbered]) -> Iterator[list[torch.Tensor]]:
        """What the dealer sends this party of tuples chosen by number, for a key used for nothing else."""
        self._source.order(tuples)
        for wanted in tuples:
            yield self._source.next(wanted)

    def finish(self) -> None:
        """Take in what was ordered and is not needed any more, so that the channel can be closed in order."""
        for unwanted in self._schedule.outstanding():
            self._source.next(unwanted)


def split_words(words: npt.NDArray[np.int64], sizes: Sequence[Shape]) -> list[torch.Tensor]:
    """Parts of these shapes from their words, one part after the other."""
    parts = np.split(words, np.cumsum([math.prod(size) for size in sizes])[:-1])
    return [torch.from_numpy(part).reshape(size) for part, size in zip(parts, sizes, strict=True)]


class RemoteSource:
    """A dealer behind a channel; PartyLost when it is gone or silent for `timeout_s`."""

    def __init__(self, channel: Channel, timeout_s: float, first: bool) -> None:
        self._channel = channel
        self._timeout_s = timeout_s
        self._first = first
        self._arrivals = Arrivals(channel)

    @property
    def bytes_received(self) -> int:
        """Of the tuples given so far, with the lengths of their messages."""
        return self._arrivals.bytes_taken

    def order(self, tuples: Sequence[Numbered]) -> None:
        """Send the first party's order to the dealer; PartyLost if it is gone."""
        if self._first:
            self._use(lambda: self._channel.send(pack_orders(tuples)))
        sent = [request for _, request in tuples if sent_sizes(request, self._first)]
        self._arrivals.expect(words_of(request, self._first) for request in sent)

    def restart(self, key: bytes) -> None:
        """Announce new keys, if this is the first party, then tell one's own."""
        if self._first:
            self._use(lambda: self._channel.send(NEW_KEYS))
        self.tell_key(key)

    def tell_key(self, key: bytes) -> None:
        """What every party does in its turn when keys are new."""
        self._use(lambda: self._channel.send(key))

    def next(self, wanted: Numbered) -> list[torch.Tensor]:
        """Raises ValueError when the dealer sends another number of words than the tuple has."""
        sizes = sent_sizes(wanted.request, self._first)
        if not sizes:
            return []
        words, received = self._use(lambda: self._arrivals.take(self._timeout_s))
        if received != words.nbytes:
            kind = wanted.request.kind
            raise ValueError(f"the dealer sent {received} bytes for {kind}, expected {words.nbytes}")
        return split_words(words, sizes)

    def _use(self, use: Callable[[], T]) -> T:
        try:
            return use()
        except (ChannelError, TimeoutError) as error:
            raise lost(f"the dealer {self._channel.peer}", error) from error


class OwnSource:
    """For a single party, who has nobody to hide anything from and deals to itself."""

    bytes_received = 0

    def __init__(self, key: bytes) -> None:
        self._key = key

    def order(self, tuples: Sequence[Numbered]) -> None:
        """Nothing to ask for."""

    def restart(self, key: bytes) -> None:
        """Deal from this key from now on."""
        self._key = key

    def next(self, wanted: Numbered) -> list[torch.Tensor]:
        """What is sent of `wanted`, computed now."""
        return corrections(wanted.request, [Stream(self._key, wanted.number)])


def join_dealer(channel: Channel, rank: int, timeout_s: float) -> DealerClient:
    """Agree on a fresh key with the dealer behind `channel`."""
    key = new_key()
    first = rank == 0
    remote = RemoteSource(channel, timeout_s, first)
    remote.tell_key(key)
    return DealerClient(key, remote, first)


def deal_alone() -> DealerClient:
    """A dealer for a computation with one party."""
    key = new_key()
    return DealerClient(key, OwnSource(key), first=True)
