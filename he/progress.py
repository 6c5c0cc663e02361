"""A progress bar for whatever takes longer than two seconds on a terminal; nothing in a pipe or a thread."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

DELAY_S = 2.0


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[..., object]]:
    """Gives a function to call after one of `total` steps, or with a number of them and a note to show.

    No bar without tqdm.
    """
    tqdm = _tqdm() if _watched() else None
    if tqdm is None:
        yield lambda steps=1, note="": None
        return
    with tqdm(desc=label, total=total, delay=DELAY_S, leave=False) as bar:

        def tick(steps: int = 1, note: str = "") -> None:
            bar.set_postfix_str(note, refresh=False)
            bar.update(steps)

        yield tick


def _watched() -> bool:
    """Whether somebody sees it: standard error is a terminal, and this is the main thread."""
    return sys.stderr.isatty() and threading.current_thread() is threading.main_thread()


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm
