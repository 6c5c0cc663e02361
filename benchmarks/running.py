"""A whole run: the suite file by file, then the peers, then the results in one file and one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import duel, limits, machine, suite
from benchmarks.peers import Peer
from benchmarks.progress import Bar
from benchmarks.report import page
from benchmarks.report.numbers import spread, time
from benchmarks.results import Duel, Entry, Results, only_one

GUESS_S = {"tiny": 5.0, "small": 30.0, "paper": 120.0}  # of one file where no earlier run says
GUESS_DUEL_S = {"tiny": 1.0, "small": 2.0, "paper": 6.0}


@dataclass(frozen=True)
class Options:
    """What to run. files: of the benchmark files, by name; keyword: pytest's -k; out: the results."""

    size: str
    device: str
    peers: Sequence[Peer]
    files: Sequence[str]
    keyword: str
    out: Path

    @property
    def page(self) -> Path:
        """The HTML page beside the results."""
        return self.out.with_suffix(".html")

    @property
    def log(self) -> Path:
        """What pytest and the peers printed."""
        return self.out.with_suffix(".log")

    def told(self) -> dict[str, Any]:
        """For the results."""
        names = {"peers": ",".join(peer.name for peer in self.peers), "files": ",".join(self.files)}
        return {"size": self.size, "device": self.device, "keyword": self.keyword, **names}


def run(options: Options) -> Results:
    """Run everything, whatever fails; ValueError if another run holds the output."""
    with only_one(options.out):
        options.log.write_text("")
        host = machine.describe(options.device)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        missing = {peer.name: why for peer in options.peers if (why := peer.why_missing())}
        present = [peer for peer in options.peers if peer.name not in missing]
        with Bar(weights(options, present)) as bar:
            entries = _suite(options, bar)
            duels = _peers(options, present, bar)
        results = Results(
            started,
            options.told(),
            host,
            limits.measure(),
            entries,
            duels,
            missing,
        )
        results.save(options.out)
        options.page.write_text(page(results))
    return results


def weights(options: Options, peers: Sequence[Peer]) -> dict[str, float]:
    """How many seconds each part may take: what the last run at this output took, a guess otherwise."""
    parts = dict.fromkeys(options.files, GUESS_S[options.size])
    try:
        last = Results.load(options.out)
    except ValueError:
        last = None
    if last is not None and last.options["size"] == options.size and not last.options["keyword"]:
        for name in options.files:
            took = [entry.took_s for entry in last.entries if entry.group == name]
            parts[name] = sum(took) or parts[name]
    verbs = {f"beside {peer.name}": duel.verbs_in_all(options.size, peer) for peer in peers}
    return parts | {name: GUESS_DUEL_S[options.size] * count for name, count in verbs.items()}


def _suite(options: Options, bar: Bar) -> list[Entry]:
    entries: list[Entry] = []
    for name in options.files:
        job = suite.Job(name, options.size, options.device, options.keyword)

        def report(entry: Entry, job: suite.Job = job) -> None:
            bar.step(job.name, len(job.done) / max(1, len(job.collected)), told(entry))

        entries += job.run(options.log, report)
        bar.end(name)
    return entries


def _peers(options: Options, peers: Sequence[Peer], bar: Bar) -> list[Duel]:
    duels: list[Duel] = []
    for peer in peers:
        part, total = f"beside {peer.name}", duel.verbs_in_all(options.size, peer)
        for count, fought in enumerate(duel.against(peer, options.size, options.log), 1):
            duels.append(fought)
            bar.step(part, count / total, told_duel(fought))
        bar.end(part)
    return duels


def told(entry: Entry) -> str:
    """One line about a benchmark."""
    shown = time(entry.median_s) if entry.samples_s else f"{entry.outcome}: {entry.reason}"
    return f"{entry.id:90s} {shown}"


def told_duel(fought: Duel) -> str:
    """One line about a duel: both times, the ratio with its quartiles, the security of both."""
    if fought.reason:
        return f"{fought.id:70s} failed: {fought.reason}"
    low, middle, high = spread(fought.ratios)
    ours, peer = (spread(side.samples_s)[1] for side in (fought.ours, fought.peer))
    margins = [f"log2(QP) {s.log_qp:.0f} {s.security} bit" for s in (fought.ours, fought.peer) if s.log_qp]
    return (
        f"{fought.id:70s} {time(ours):>9s} {time(peer):>9s}  ratio {middle:6.2f} ({low:.2f} to {high:.2f})"
        f" of fastest {fought.best:.2f}"
        f"  {' / '.join(margins)}"
    )
