"""One party's side of the dealer: its shares of each tuple, ordered before they are needed where foreseen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from mpc.dealer.schedule import Numbered, Schedule, words_of
from mpc.dealer.service import NEW_KEYS, pack_orders
from mpc.dealer.tuples import Request, corrections, derived_sizes, draw_derived, draw_free
from mpc.randomness import Stream, new_key
from mpc.transport import lost
from pqc import ChannelError
from pqc.channel import Channel

T = TypeVar("T")


class Source(Protocol):
    """Where the first party's corrections come from."""

    def order(self, tuples: Sequence[Numbered]) -> None:
        """Ask for them; returns at once."""
        ...

    def next(self, wanted: Numbered) -> list[torch.Tensor]:
        """The corrections of the oldest tuple ordered and not yet given, which must be `wanted`."""
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
    foreseen: for each of them the first party waits a round trip to the dealer, for the others not.
    """

    def __init__(
        self, key: bytes, source: Source | None, tell_key: Callable[[bytes], None] | None = None
    ) -> None:
        """`source` is None for every party but the first; the others tell new keys by `tell_key`."""
        self._key = key
        self._source = source
        self._tell_key = source.restart if source is not None else tell_key
        self._schedule = Schedule()
        self._from_stock = True
        self._last_number = -1
        self.stock: Stocked | None = None
        self.dealt: Counter[Request] = Counter()
        self.rounds = 0

    def restart(self, key: bytes, schedule: Schedule | None = None, *, stocked: bool = True) -> None:
        """Go on with streams of another key; all parties must do so at the same place of the program.

        Where requests may be repeated, tuples must not come from a stock: `stocked` is False until the next
        restart.

        With the key and the schedule of an earlier moment the same requests get the same tuples as then:
        only for repeating what was computed then with exactly the same values, or masks would cover two.
        """
        if self._tell_key is None:
            raise ValueError("this dealer has one key for all of its time")
        self.finish()
        self._tell_key(key)
        self._key = key
        self._last_number = -1
        self._from_stock = stocked
        self._schedule = schedule or Schedule()
        if self._source is not None and (outstanding := self._schedule.outstanding()):
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
        free = draw_free(request, stream)
        if self._source is None:
            return free + draw_derived(request, stream)
        self.rounds += 0 if taken.foreseen else 1
        if taken.order:
            self._source.order(taken.order)
        for unwanted in taken.unwanted:
            self._source.next(unwanted)
        return free + self._source.next(taken.use)

    def corrections_of(self, tuples: Sequence[Numbered]) -> Iterator[list[torch.Tensor]]:
        """At the first party the corrections of tuples chosen by number, for a key used for nothing else."""
        if self._source is None:
            return
        self._source.order(tuples)
        for wanted in tuples:
            yield self._source.next(wanted)

    def finish(self) -> None:
        """Take in what was ordered and is not needed any more, so that the channel can be closed in order."""
        if self._source is not None:
            for unwanted in self._schedule.outstanding():
                self._source.next(unwanted)


def split_words(words: npt.NDArray[np.int64], request: Request) -> list[torch.Tensor]:
    """A tuple's derived parts from their words, one part after the other."""
    sizes = derived_sizes(request)
    parts = np.split(words, np.cumsum([math.prod(size) for size in sizes])[:-1])
    return [torch.from_numpy(part).reshape(size) for part, size in zip(parts, sizes, strict=True)]


class RemoteSource:
    """A dealer behind a channel; PartyLost when it is gone or silent for `timeout_s`."""

    def __init__(self, channel: Channel, timeout_s: float) -> None:
        self._channel = channel
        self._timeout_s = timeout_s

    def order(self, tuples: Sequence[Numbered]) -> None:
        self._use(lambda channel: channel.send(pack_orders(tuples)))

    def restart(self, key: bytes) -> None:
        self._use(lambda channel: channel.send(NEW_KEYS))
        self.tell_key(key)

    def tell_key(self, key: bytes) -> None:
        """What every party does in its turn when keys are new."""
        self._use(lambda channel: channel.send(key))

    def next(self, wanted: Numbered) -> list[torch.Tensor]:
        """Raises ValueError when the dealer sends another number of words than the tuple has."""
        words = np.empty(words_of(wanted.request), dtype=np.int64)
        buffer = words.data.cast("B")
        received = self._use(lambda channel: channel.receive_into(buffer, timeout_s=self._timeout_s))
        if received != words.nbytes:
            kind = wanted.request.kind
            raise ValueError(f"the dealer sent {received} bytes for {kind}, expected {words.nbytes}")
        return split_words(words, wanted.request)

    def _use(self, use: Callable[[Channel], T]) -> T:
        try:
            return use(self._channel)
        except (ChannelError, TimeoutError) as error:
            raise lost(f"the dealer {self._channel.peer}", error) from error


class OwnSource:
    """For a single party, who has nobody to hide anything from and deals to itself."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def order(self, tuples: Sequence[Numbered]) -> None:
        """Nothing to ask for."""

    def restart(self, key: bytes) -> None:
        self._key = key

    def next(self, wanted: Numbered) -> list[torch.Tensor]:
        return corrections(wanted.request, [Stream(self._key, wanted.number)])


def join_dealer(channel: Channel, rank: int, timeout_s: float) -> DealerClient:
    """Agree on a fresh key with the dealer behind `channel`."""
    key = new_key()
    remote = RemoteSource(channel, timeout_s)
    remote.tell_key(key)
    return DealerClient(key, remote if rank == 0 else None, remote.tell_key)


def deal_alone() -> DealerClient:
    """A dealer for a computation with one party."""
    key = new_key()
    return DealerClient(key, OwnSource(key))
