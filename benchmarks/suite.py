"""Run the benchmark files, each in a process of its own, and collect what they recorded.

A file whose process dies takes only the benchmark it was in with it: the rest of that file runs in a new one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT
from benchmarks.results import Entry

HERE = Path(__file__).parent
POLL_S = 0.1
LONGEST_S = {"tiny": 0.05, "small": 0.3, "paper": 1.0}  # of one benchmark's repetitions, by size
Report = Callable[[Entry], None]


def files() -> list[str]:
    """The names of the benchmark files: "kernels" for test_kernels.py."""
    return sorted(path.stem.removeprefix("test_") for path in HERE.glob("test_*.py"))


@dataclass
class Job:
    """One benchmark file at one size on one device; `keyword` selects as pytest's -k does."""

    name: str
    size: str
    device: str
    keyword: str = ""
    done: list[Entry] = field(default_factory=list)
    collected: list[str] = field(default_factory=list)

    def command(self, record: Path, deselected: Sequence[str]) -> list[str]:
        """The pytest that runs what is not deselected."""
        folder = HERE.relative_to(ROOT)
        target = f"{folder}/test_{self.name}.py"
        options = [f"--deselect={folder}/{each}" for each in deselected]
        options += ["-k", self.keyword] if self.keyword else []
        return [
            sys.executable, "-m", "pytest", target, "-q", "-m", "", "-p", "no:cacheprovider",
            "--timeout=1800", f"--rootdir={ROOT}", "--benchmark-enable", "--benchmark-only",
            "--benchmark-min-rounds=3", f"--benchmark-max-time={LONGEST_S[self.size]}",
            f"--size={self.size}", f"--device={self.device}", f"--record={record}", *options,
        ]  # fmt: skip

    def run(self, log: Path, report: Report = lambda entry: None) -> list[Entry]:
        """All entries of this file; what pytest prints goes to `log`."""
        while not self._once(log, report):
            pass
        return self.done

    def left(self) -> list[str]:
        """The ids that were collected and have no entry yet."""
        done = {entry.id for entry in self.done}
        return [each for each in self.collected if each not in done]

    def _take(self, entry: Entry, report: Report) -> None:
        self.done.append(entry)
        report(entry)

    def _once(self, log: Path, report: Report) -> bool:
        """Run what is left in one process; whether that was all."""
        with tempfile.TemporaryDirectory() as folder, log.open("a") as out:
            record = Path(folder) / "record"
            record.touch()
            command = self.command(record, [entry.id for entry in self.done])
            # Without what a pytest around this one tells its own processes, such as that there are several.
            own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, env=own)
            try:
                running = self._follow(process, record, report)
            finally:
                process.kill()
                process.wait()
        if not self.collected:
            why = f"could not be collected: {_last_error(log)}"
            self._take(Entry(f"test_{self.name}.py", "failed", why), report)
        elif left := self.left():
            died = running if running in left else left[0]
            self._take(Entry(died, "failed", f"its process died: {_ended(process.returncode)}"), report)
        return not self.left()

    def _follow(self, process: subprocess.Popen[bytes], record: Path, report: Report) -> str:
        """Take every entry as it comes; the benchmark that was started last."""
        running, ended = "", False
        with record.open() as lines:
            while not ended:
                ended = process.poll() is not None
                for line in _whole_lines(lines):
                    if "entry" in line:
                        self._take(Entry(**line["entry"]), report)
                    self.collected = self.collected or line.get("collected", [])
                    running = line.get("started", running)
                time.sleep(0 if ended else POLL_S)
        return running


def _whole_lines(file: Any) -> list[dict[str, Any]]:
    """The lines that came since, less one that is still being written."""
    found: list[dict[str, Any]] = []
    while True:
        start = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(start)
            return found
        found.append(json.loads(line))


def _ended(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _last_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("E ")] or lines[-1:]
    return " ".join(errors[-1].split())[:300] if errors else "pytest said nothing"
