"""The pytest plugin that writes what each benchmark measured, one JSON object a line, as soon as it ended.

The lines: {"collected": [ids]} once, then {"started": id} and {"entry": {...}} for each benchmark, so that
whoever reads the file sees where a process died. The fields of an entry are those of `results.Entry`.
"""

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

MOST_SAMPLES = 200
CLEAR_PEAK = "5"  # written to clear_refs: the kernel starts the peak of resident memory anew (proc(5))


def identify(node_id: str) -> str:
    """The id of a benchmark without the folder."""
    file, separator, rest = node_id.partition("::")
    return file.rpartition("/")[2] + separator + rest


def thin(samples: list[float], most: int = MOST_SAMPLES) -> list[float]:
    """At most so many of the samples, evenly over the run."""
    step = max(1, -(-len(samples) // most))
    return [float(f"{sample:.6g}") for sample in samples[::step]]


def forget_peak() -> None:
    """Count the peak of resident memory from now on, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    except OSError:
        return


def peak_bytes() -> int | None:
    """The peak of this process's resident memory, None where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    peaks = [int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")]
    return peaks[0] if peaks else None


class Recorder:
    """Writes to `path`, which is emptied first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.write_text("")
        self._started = 0.0

    def _write(self, record: dict[str, Any]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(record, default=str) + "\n")

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell which benchmarks will run."""
        self._write({"collected": [identify(item.nodeid) for item in session.items]})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which one runs now, so that one whose process dies can be named."""
        self._write({"started": identify(nodeid)})
        self._started = time.perf_counter()
        forget_peak()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        """Tell how it ended: its figures, why it was skipped, or how it failed."""
        report: Any = yield
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._write({"entry": self._entry(item, report)})
        return report

    def _entry(self, item: pytest.Item, report: pytest.TestReport) -> dict[str, Any]:
        benchmark = getattr(item, "funcargs", {}).get("benchmark")
        stats = getattr(benchmark, "stats", None)
        samples = list(stats.stats.data) if stats is not None and report.passed else []
        return {
            "id": identify(item.nodeid),
            "outcome": report.outcome,
            "reason": reason(report),
            "samples_s": thin(samples),
            "extra": dict(benchmark.extra_info) if benchmark is not None else {},
            "peak_bytes": peak_bytes(),
            "took_s": round(time.perf_counter() - self._started, 3),
        }


def reason(report: pytest.TestReport) -> str:
    """Why a benchmark was skipped or failed, in one line; nothing if it passed."""
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash is not None else str(report.longrepr)
        return " ".join(text.split())[:300]
    return ""
