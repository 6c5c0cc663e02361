"""What goes along with the steps of a training: checkpoints and a progress bar, where they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mpc.checkpoint import Checkpoints
from mpc.progress import Progress

# After a step: its number, how to get the state of the training, and how to compute the loss on its rows.
After = Callable[[int, Callable[[], Any], Callable[[], Any]], None]


@contextmanager
def following(
    steps: int, taken: int, checkpoints: Checkpoints | None, progress: Progress | None
) -> Iterator[After]:
    """Around the steps of a training of `steps`, of which `taken` lie before."""
    with ExitStack() as around:
        if checkpoints is not None:
            around.enter_context(checkpoints.steps())
        show = None if progress is None else around.enter_context(progress.over(steps, taken))

        def after(step: int, state: Callable[[], Any], loss: Callable[[], Any]) -> None:
            if show is not None:
                show(step, loss)
            if checkpoints is not None:
                checkpoints.after(step, state)

        yield after
