"""What the dealer sends is taken in by a thread while the party computes, up to a bound on memory.

Otherwise the dealer could be ahead of a party by no more than the buffers of a connection, and would deal and
encrypt only while the party waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mpc.dealer.schedule import AHEAD_WORDS
from pqc.channel import Channel
from pqc.framing import LENGTH

Words = npt.NDArray[np.int64]
# How much may have arrived and not been taken, or one message of any size: what may be on order ahead.
HELD_WORDS = AHEAD_WORDS


class Arrival(NamedTuple):
    """A buffer for the expected message, and how many bytes came."""

    words: Words
    received: int


class Arrivals:
    """Messages of expected lengths from one channel, in order, received by a thread of its own.

    `bytes_taken` counts those that were taken, with their lengths in front: it depends on the program alone,
    where what has arrived depends on time. While messages are expected nobody else should receive from the
    channel: he would wait for the thread.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._changed = threading.Condition()
        self._expected: deque[int] = deque()
        self._arrived: deque[Arrival | Exception] = deque()
        self._held_words = 0
        self.bytes_taken = 0
        self._thread: threading.Thread | None = None

    def expect(self, counts: Iterable[int]) -> None:
        """Messages of so many words will come after those expected before."""
        with self._changed:
            self._expected.extend(counts)
            self._changed.notify_all()
        if self._thread is None and self._expected:
            # A daemon: the process may have to end while the dealer says nothing.
            self._thread = threading.Thread(target=self._receive_all, name="dealt", daemon=True)
            self._thread.start()

    def take(self, timeout_s: float) -> Arrival:
        """The oldest message.

        Raises TimeoutError when it is not here in time; ChannelError, or ValueError for a message that is
        longer than expected, where receiving did, now and ever after.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._arrived, timeout_s):
                raise TimeoutError(f"receive from {self._channel.peer}: nothing within {timeout_s} s")
            oldest = self._arrived[0]
            if isinstance(oldest, Exception):
                raise oldest
            self._arrived.popleft()
            self._held_words -= oldest.words.size
            self.bytes_taken += LENGTH.size + oldest.received
            self._changed.notify_all()
        return oldest

    def _receive_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_room)
                count = self._expected.popleft()
                self._held_words += count
            arrival = self._receive(count)
            with self._changed:
                self._arrived.append(arrival)
                self._changed.notify_all()
            if isinstance(arrival, Exception):
                return

    def _has_room(self) -> bool:
        if not self._expected:
            return False
        return not self._held_words or self._held_words + self._expected[0] <= HELD_WORDS

    def _receive(self, count: int) -> Arrival | Exception:
        try:
            words = np.empty(count, dtype=np.int64)
            return Arrival(words, self._channel.receive_into(words.data.cast("B")))
        except Exception as error:
            return error
