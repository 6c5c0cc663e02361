"""The communicator of three parties with replicated shares: what is opened, the third one does not see."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import torch

from mpc.protocols.replicated import THIRD
from mpc.transport import ChannelCommunicator


class PairCommunicator(ChannelCommunicator):
    """Openings reach parties 0 and 1 only, but for outputs, which have a method of their own.

    Party 2 knows the masks of what is opened in protocols. It holds a share of zero there and takes zeros for
    what is opened, so that its results are zero again; RuntimeError where it holds anything else.
    """

    def output(
        self, share: torch.Tensor, dst: int | None = None, bitwise: bool = False
    ) -> torch.Tensor | None:
        """The sum of all shares, or their exclusive or, at party `dst` or at all three; None at the others.

        Shares must be fresh: what the third party sees of them is both.
        """
        parts = self._pass(share, range(THIRD + 1) if dst is None else [dst])
        return functools.reduce(operator.xor if bitwise else operator.add, parts) if parts else None

    def give(self, dst: int, tensor: torch.Tensor) -> None:
        """This tensor to party `dst`, who takes it when it gets there; returns when it is on its way."""
        self._send(dst, tensor).result()

    def take(self, src: int, like: torch.Tensor) -> torch.Tensor:
        """What party `src` gave, which did not wait for anything of this party: no round."""
        return self._receive(src, like)

    def barrier(self) -> None:
        """Return once all parties are here."""
        super()._exchange(torch.zeros(1, dtype=torch.long))

    def _exchange(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Every party's tensor, of which the third one's is zero; one round for the other two."""
        return self._pass(tensor, range(THIRD)) or [torch.zeros_like(tensor)] * (THIRD + 1)

    def _collect(self, tensor: torch.Tensor, dst: int) -> list[torch.Tensor]:
        if dst == THIRD:
            raise RuntimeError("the third party knows the masks of what is opened, and must not see it")
        return self._pass(tensor, [dst])

    def _pass(self, tensor: torch.Tensor, receivers: Sequence[int]) -> list[torch.Tensor]:
        """Everybody's tensor at the receivers, nothing elsewhere."""
        if self._rank == THIRD and bool(tensor.any()):
            raise RuntimeError("the third party holds a share that nobody adds: it would be missing in a sum")
        sent = []
        if self._rank != THIRD:
            sent = [self._send(peer, tensor) for peer in receivers if peer != self._rank]
        parts = []
        if self._rank in receivers:
            self.rounds += 1
            senders = [peer for peer in range(THIRD) if peer != self._rank]
            theirs = {peer: self._receive(peer, tensor) for peer in senders}
            nothing = torch.zeros_like(tensor)
            parts = [
                tensor.clone() if rank == self._rank else theirs.get(rank, nothing)
                for rank in range(THIRD + 1)
            ]
        self._wait_all(sent)
        return parts
