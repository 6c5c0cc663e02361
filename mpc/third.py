"""Correlated randomness from the third of three parties, who deals it to the other two and sees no opening.

Parties 0 and 1 each draw from a key that they share with party 2, which draws the same and sends party 0 the
corrections, in the order of the program and without being asked: it waits for nobody but at inputs, outputs
and once every `LEAD` tuples, so that it is not too far ahead. See mpc.protocols.replicated for the security.
"""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mpc.choice import Comparing
from mpc.dealer.client import split_words
from mpc.dealer.schedule import Schedule, words_of
from mpc.dealer.service import pack_words
from mpc.dealer.tuples import Request, Shape, corrections, derived_sizes, draw_derived, draw_free, sent_sizes
from mpc.pairwise import PairCommunicator
from mpc.protocols import product as layers
from mpc.protocols.product import LayerMask
from mpc.protocols.replicated import (
    THIRD,
    deal_truncation,
    from_octets,
    octets_for,
    third_mask,
    to_octets,
)
from mpc.protocols.truncate import TruncationMask
from mpc.provider import DealerProvider
from mpc.randomness import Stream, Zeros, new_key

# Tuples that the third party may be ahead of the others, less than they would need for its patience to end.
LEAD = 64
_NOTHING = Zeros()


class ThirdDealer:
    """In place of a dealer's client at all three parties, which must ask for the same in the same order.

    `rounds` counts the times that this party waits for the others to be as far as it. What is dealt counts
    among the bytes between parties.
    """

    bytes_received = 0

    def __init__(self, communicator: PairCommunicator) -> None:
        self._communicator = communicator
        self._rank = communicator.get_rank()
        self.dealt: Counter[Request] = Counter()
        self.rounds = 0
        self.restart(new_key())

    @property
    def third(self) -> bool:
        """Whether this party deals."""
        return self._rank == THIRD

    def restart(self, key: bytes, schedule: Schedule | None = None, *, stocked: bool = True) -> None:
        """As `mpc.dealer.client.DealerClient.restart`; the third party's own key is not used."""
        self._schedule = schedule or Schedule()
        words = torch.frombuffer(bytearray(key), dtype=torch.long)
        if self.third:
            taken = [self._communicator.take(peer, words) for peer in range(THIRD)]
            self._keys = [part.numpy().tobytes() for part in taken]
        else:
            self._communicator.give(THIRD, words)
            self._keys = [key]

    def schedule(self) -> bytes:
        """What `restart` needs beside the key to go on from here, by `Schedule.from_bytes`."""
        return self._schedule.to_bytes()

    def finish(self) -> None:
        """Nothing is ordered ahead."""

    def deal(self, request: Request) -> list[torch.Tensor]:
        """This party's shares of all parts of a tuple, freely drawn ones first; zeros at the third party."""
        self.dealt[request] += 1
        streams = self._streams()
        if self.third:
            self._send(request, corrections(request, streams))
            common = sent_sizes(request, first=False)
            nothing = [torch.zeros(size, dtype=torch.long) for size in common]
            return draw_free(request, _NOTHING) + draw_derived(request, _NOTHING) + nothing
        drawn = draw_free(request, streams[0])
        first = self._rank == 0
        sizes = sent_sizes(request, first)
        if not first:
            drawn += draw_derived(request, streams[0])
        if not sizes:
            return drawn
        empty = torch.empty(words_of(request, first), dtype=torch.long)
        return drawn + split_words(self._communicator.take(THIRD, empty).numpy(), sizes)

    def masks(self, sizes: Sequence[Shape]) -> list[torch.Tensor]:
        """Uniform words: this party's part of each mask, at the third party both parts; nothing is sent."""
        streams = self._streams()
        parts = [[stream.words(size) for size in sizes] for stream in streams]
        return [functools.reduce(operator.add, both) for both in zip(*parts, strict=True)]

    def truncation(self, own: torch.Tensor, divisor: int) -> TruncationMask:
        """The mask for a value of which this party has the share `own`."""
        size = own.shape
        self.dealt[Request("truncation", (tuple(size),), divisor=divisor)] += 1
        streams = self._streams()
        r = functools.reduce(operator.add, [stream.words(size) for stream in streams])
        if self._rank == 0:
            empty = torch.empty(octets_for(size.numel(), divisor), dtype=torch.uint8)
            return TruncationMask(r, *from_octets(self._communicator.take(THIRD, empty), size, divisor))
        second = streams[-1].words(size), streams[-1].words(size)
        if not self.third:
            return TruncationMask(r, *second)
        self._communicator.give(0, to_octets(deal_truncation(r, own, divisor, second), divisor))
        return third_mask(own)

    def hand_over(self, share: torch.Tensor, bitwise: bool = False) -> torch.Tensor:
        """Shares of the same value, the third party's zero: one word an entry from it to the first."""
        stream = self._streams()[-1]
        if self._rank == 0:
            part = self._communicator.take(THIRD, torch.empty(share.shape, dtype=torch.long))
        else:
            part = stream.words(share.shape)
        if self.third:
            self._communicator.give(0, share ^ part if bitwise else share - part)
            return torch.zeros_like(share)
        return share ^ part if bitwise else share + part

    def _streams(self) -> list[Stream]:
        """For one tuple, of this party's key or of both others'."""
        number = self._schedule.count()
        if number % LEAD == 0:
            self._wait(number)
        return [Stream(key, number) for key in self._keys]

    def _wait(self, number: int) -> None:
        """The third party goes on once the first one is here."""
        here = torch.tensor([number])
        if self._rank == 0:
            self._communicator.give(THIRD, here)
        elif self.third and int(self._communicator.take(0, here)) != number:
            raise ValueError(f"the first party is not at tuple {number}: the parties' programs differ")
        self.rounds += 0 if self._rank == 1 else 1

    def _send(self, request: Request, parts: list[torch.Tensor]) -> None:
        words = torch.from_numpy(np.frombuffer(bytearray(pack_words(parts)), dtype=np.int64))
        if words.nelement():
            self._communicator.give(0, words)
        if common := words_of(request, first=False):
            self._communicator.give(1, words[-common:])


class ThirdProvider(DealerProvider):
    """CrypTen's interface for correlated randomness, served by the third party."""

    def __init__(self, crypten: Any, dealer: ThirdDealer, comparing: Comparing) -> None:
        super().__init__(crypten, dealer, comparing)
        self.third = dealer
        self.deals = dealer.third

    def truncation_mask(self, size: Shape, divisor: int, own: torch.Tensor | None = None) -> TruncationMask:
        """As the helper's; at the third party for its share `own`, which then counts as added."""
        own = torch.zeros(size, dtype=torch.long) if own is None else own
        return self.third.truncation(own, divisor)

    def summed(self, share: torch.Tensor) -> torch.Tensor:
        """The third party hands over what is left of a product."""
        return self.third.hand_over(share)

    def layer(
        self, op: str, sizes: tuple[Shape, Shape], wanted: tuple[bool, bool], options: dict[str, Any]
    ) -> LayerMask:
        """Parts of masks for both factors and the gradient; the third party has the products wanted."""
        settings = (*sorted(options.items()), ("wanted", wanted))
        value = derived_sizes(Request("layer", sizes, op, settings))[0]
        a, b, g = self.third.masks([*sizes, value])
        if not self.deals:
            nothing = torch.zeros((), dtype=torch.long)
            left, right = (nothing if one else None for one in wanted)
            return LayerMask(a, b, g, nothing, left, right)
        own = layers.layer(op, *sizes, options)
        left, right = own.left(g, b) if wanted[0] else None, own.right(a, g) if wanted[1] else None
        zeros = [torch.zeros_like(mask) for mask in (a, b, g)]
        return LayerMask(zeros[0], zeros[1], zeros[2], own.forward(a, b), left, right)
