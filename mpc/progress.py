"""How far a training is, shown where somebody watches, with the loss if all parties agreed to see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from he.progress import progress as bar
from mpc.exchange import tell_all
from mpc.party import Party
from mpc.tensors import opened


class Progress:
    """A bar on this party's terminal; with `loss_every` it opens the loss to all parties so often.

    What all parties then learn is the mean loss on the rows of that step, at the weights after it: one number
    every `loss_every` steps. It costs one more forward pass and a loss on shares. Without `loss_every`, the
    default, nothing is opened. `curve` has the pairs (steps taken, loss) so far.
    """

    def __init__(self, party: Party, loss_every: int | None = None) -> None:
        if loss_every is not None and loss_every < 1:
            raise ValueError(f"the loss is shown every 1 step or more, or never (None), got {loss_every}")
        self.loss_every = loss_every
        self.curve: list[tuple[int, float]] = []
        self._party = party

    @contextmanager
    def over(self, steps: int, taken: int) -> Iterator[Callable[[int, Callable[[], Any]], None]]:
        """Gives the function to call after every step with its number and how to compute the loss.

        Raises ValueError at every party unless all want the loss equally often.
        """
        wishes = dict(zip(self._party.names, tell_all(self._party, self.loss_every), strict=True))
        if len(set(wishes.values())) > 1:
            said = ", ".join(f"{wish} at {name}" for name, wish in wishes.items())
            raise ValueError(f"the parties do not agree on how often the loss is shown: {said}")
        with bar("training", steps) as tick:
            tick(taken)

            def after(step: int, loss: Callable[[], Any]) -> None:
                if self.loss_every is not None and step % self.loss_every == 0:
                    self.curve.append((step, opened(loss()).item()))
                tick(1, f"loss {self.curve[-1][1]:.4f}" if self.curve else "")

            yield after
