"""Two in turns on a clock: the ratio of their fastest rounds."""

import time
from collections.abc import Callable

Work = Callable[[], object]


def ratio(ours: Work, bare: Work, rounds: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Our fastest round divided by the other's; the two take turns, and other programs can only add time."""
    fastest = [float("inf"), float("inf")]
    for _ in range(rounds):
        for side, work in enumerate((ours, bare)):
            started = clock()
            work()
            fastest[side] = min(fastest[side], clock() - started)
    return fastest[0] / fastest[1]


def repeat(work: Work, times: int) -> Work:
    """Many runs as one, for what is short beside the clock."""

    def many() -> None:
        for _ in range(times):
            work()

    return many
