import io
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from he import progress as module
from he.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def steps() -> None:
    with progress("work", 3) as tick:
        for _ in range(3):
            time.sleep(0.11)  # tqdm draws ten times a second
            tick(1, "half done")


def test_a_terminal_shows_a_bar_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    steps()
    assert screen.getvalue() == ""  # over in less than two seconds
    monkeypatch.setattr(module, "DELAY_S", 0.0)
    steps()
    assert "work" in screen.getvalue() and "/3" in screen.getvalue()
    assert "half done" in screen.getvalue()


def test_a_pipe_a_thread_and_a_missing_tqdm_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELAY_S", 0.0)
    pipe, screen = io.StringIO(), Terminal()
    monkeypatch.setattr(sys, "stderr", pipe)
    steps()
    monkeypatch.setattr(sys, "stderr", screen)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(steps).result()
    monkeypatch.setitem(sys.modules, "tqdm", None)
    steps()
    assert pipe.getvalue() == screen.getvalue() == ""
