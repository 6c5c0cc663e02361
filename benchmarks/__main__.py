"""`python -m benchmarks run | report | compare | guard | peers`: measure, show, compare, keep watch.

Exit status: 0 all well; 1 a benchmark failed, something became slower, or a ratio fell; 2 bad input.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

try:
    from benchmarks import guard, peers, suite
    from benchmarks.compare import compare
    from benchmarks.conftest import SIZES
    from benchmarks.devices import DEVICES, why_no_cuda
    from benchmarks.report import into, page, table
    from benchmarks.results import Results
    from benchmarks.running import Options, run
except ModuleNotFoundError as error:
    sys.exit(f"error: {error}; the benchmarks need: pip install 'latticework[bench,models,seal]'")

OUT = Path(".benchmarks") / "run.json"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(does=does)
        return made

    runs = command("run", _run, "run the benchmarks and write results and an HTML page")
    runs.add_argument("--size", choices=SIZES, default="small")
    runs.add_argument("--device", choices=DEVICES, default="cpu")
    runs.add_argument(
        "--peers", default="seal", help=f"with commas between, of {','.join(peers.PEERS)}; '' for none"
    )
    runs.add_argument("--files", default=",".join(suite.files()), help="which benchmark files; '' for none")
    runs.add_argument("-k", dest="keyword", default="", help="only benchmarks that match, as pytest's -k")
    runs.add_argument(
        "--out", type=Path, default=OUT, help="the results; the page and the log stand beside them"
    )

    shows = command("report", _report, "make the HTML page or the Markdown table of stored results")
    shows.add_argument("results", type=Path, nargs="?", default=OUT)
    shows.add_argument("--out", type=Path, help="the page; beside the results if not given")
    shows.add_argument("--markdown", action="store_true", help="print the table of ratios instead")
    shows.add_argument("--works", help="only these works in the table, with commas between")
    shows.add_argument(
        "--into", type=Path, help="with --markdown: write the table between this file's markers"
    )

    compares = command("compare", _compare, "tell what changed between two stored results beyond noise")
    compares.add_argument("before", type=Path)
    compares.add_argument("after", type=Path)

    guards = command(
        "guard", _guard, "fail if a ratio to SEAL fell by more than a quarter below the stored one"
    )
    guards.add_argument("--baseline", type=Path, default=guard.BASELINE)
    guards.add_argument("--update", action="store_true", help="store this machine's ratios instead")

    there = command(
        "peers", _peers, "list the libraries to compare with, or install one in its own environment"
    )
    there.add_argument("action", choices=("list", "install"), nargs="?", default="list")
    there.add_argument("names", nargs="?", default="", help="with commas between")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = parser().parse_args(arguments)
    try:
        status: int = given.does(given)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return status


def _run(given: argparse.Namespace) -> int:
    files = [name for name in given.files.split(",") if name]
    if unknown := sorted(set(files) - set(suite.files())):
        raise ValueError(f"no benchmark file {unknown[0]!r}, expected some of {','.join(suite.files())}")
    if given.device == "cuda" and (reason := why_no_cuda()):
        print(f"note: {reason}: every benchmark will be skipped", file=sys.stderr)
    options = Options(given.size, given.device, peers.chosen(given.peers), files, given.keyword, given.out)
    results = run(options)
    for name, reason in results.missing.items():
        print(f"peer {name} was not measured: {reason}")
    for failed in results.failed:
        print(f"FAILED {failed}")
    passed = sum(entry.outcome == "passed" for entry in results.entries)
    print(f"{passed} benchmarks, {len(results.duels)} ratios, {len(results.failed)} failed: {options.page}")
    return 1 if results.failed else 0


def _report(given: argparse.Namespace) -> int:
    results = Results.load(given.results)
    if given.into:
        if not given.markdown or given.works:
            raise ValueError("--into goes with --markdown and without --works: the file's marker names them")
        return _write_into(given.into, results)
    if given.markdown:
        print(table(results, given.works.split(",") if given.works else None))
        return 0
    out = given.out or given.results.with_suffix(".html")
    out.write_text(page(results))
    print(out)
    return 0


def _write_into(path: Path, results: Results) -> int:
    try:
        path.write_text(into(path.read_text(), results))
    except OSError as error:
        raise ValueError(f"{path} cannot be read or written: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    print(path)
    return 0


def _compare(given: argparse.Namespace) -> int:
    found = compare(Results.load(given.before), Results.load(given.after))
    for change in sorted(found.changes, key=lambda change: -change.ratio):
        if change.verdict != "same":
            print(
                f"{change.verdict}  {change.ratio:.3f} ({change.low:.3f} to {change.high:.3f})  {change.id}"
            )
    for title, names in (("gone", found.gone), ("new", found.new)):
        for name in names:
            print(f"{title}  {name}")
    same = sum(change.verdict == "same" for change in found.changes)
    print(f"{len(found.changes)} compared, {same} the same within noise")
    return 1 if found.worse else 0


def _guard(given: argparse.Namespace) -> int:
    measured = guard.measure()
    if given.update:
        again = guard.measure()
        measured = {name: min(ratio, again[name]) for name, ratio in measured.items()}
        guard.store(given.baseline, measured)
        print(f"stored {len(measured)} ratios in {given.baseline}")
        return 0
    falls = guard.watch(given.baseline, measured)
    for line in guard.told(given.baseline, measured):
        print(line)
    for fall in falls:
        print(f"FELL {fall}")
    return 1 if falls else 0


def _peers(given: argparse.Namespace) -> int:
    chosen = peers.chosen(given.names) or list(peers.PEERS.values())
    if given.action == "install":
        if not given.names:
            raise ValueError(f"no peer named, expected some of {','.join(peers.PEERS)}")
        for peer in chosen:
            peer.install()
    for peer in chosen:
        print(f"{peer.name:8s} {peer.label:20s} {peer.why_missing() or peer.version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
