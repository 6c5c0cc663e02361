"""Product and peer in turns, A B A B, each in a process of its own: ratios pair by pair, results checked.

Both get the same work and the same number of threads. A result that is wrong on either side fails the duel.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer
from benchmarks.peers.cases import Case, cases_for
from benchmarks.results import Duel, Side
from he.ckks import security

OURS = {kind: f"benchmarks.peers.{kind}_latticework" for kind in ("ckks", "mpc", "pqc")}
BUDGET_S = {"tiny": 0.1, "small": 0.8, "paper": 4.0}  # of one verb against one peer
FEWEST, MOST = 3, 25
ANSWER_S = 600.0
LEAST_BITS = {"ckks": 15.0}  # where an adapter has no bound of its own
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "GOMAXPROCS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS",
)  # fmt: skip
Report = Callable[[Duel], None]


class WorkerError(RuntimeError):
    """A worker could not do what it was asked, or ended."""


class Worker:
    """One side: a process that answers requests; use it as a context manager."""

    def __init__(self, command: Sequence[str], threads: int, log: Path) -> None:
        variables = dict.fromkeys(THREAD_VARIABLES, str(threads))
        with log.open("a") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | variables,
            )
        self._buffer = b""

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request; WorkerError if it failed, ended, or did not answer in time."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line())
        except (BrokenPipeError, EOFError):
            raise WorkerError(f"its process ended with {self._process.wait(5)}") from None
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _line(self) -> bytes:
        out = self._process.stdout
        assert out is not None
        with selectors.DefaultSelector() as ready:
            ready.register(out, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not ready.select(ANSWER_S):
                    self._process.kill()
                    raise WorkerError(f"no answer in {ANSWER_S:.0f} s")
                piece = os.read(out.fileno(), 1 << 16)
                if not piece:
                    raise EOFError
                self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def our_version() -> str:
    """The version of this package."""
    try:
        return version("latticework")
    except PackageNotFoundError:
        return "unknown"


def verbs_in_all(size: str, peer: Peer) -> int:
    """How many duels `against` will report."""
    return sum(len(case.verbs) for kind in peer.adapters for case in cases_for(size, kind, peer.name))


def against(
    peer: Peer, size: str, log: Path, report: Report = lambda duel: None, ours: Sequence[str] | None = None
) -> Iterator[Duel]:
    """All duels with one peer. `ours` is the command of our side, for tests."""
    told = peer.version()
    for kind in peer.adapters:
        commands = (ours or [sys.executable, "-m", OURS[kind]], peer.command(kind))
        for case in cases_for(size, kind, peer.name):
            for duel in fight(case, peer.name, told, commands, BUDGET_S[size], log):
                report(duel)
                yield duel


def fight(
    case: Case,
    peer: str,
    told: str,
    commands: tuple[Sequence[str], Sequence[str]],
    budget_s: float,
    log: Path,
) -> Iterator[Duel]:
    """The duels of one case, verb by verb; a side that fails makes duels with a reason."""

    def lost(verb: str, reason: str) -> Duel:
        sides = (Side("latticework", our_version(), []), Side(peer, told, []))
        return Duel(f"{case.kind}_{verb}", case.name, case.threads, *sides, reason=reason)

    with ExitStack() as stack:
        try:
            pair = [stack.enter_context(Worker(command, case.threads, log)) for command in commands]
            facts = [_ready(worker, case, name) for worker, name in zip(pair, ("ours", peer), strict=True)]
        except WorkerError as error:
            yield from (lost(verb, str(error)) for verb in case.verbs)
            return
        for verb in case.verbs:
            if verb not in facts[1]["verbs"]:
                continue
            try:
                bits = [
                    _checked(worker, case.kind, verb, name)
                    for worker, name in zip(pair, ("ours", peer), strict=True)
                ]
                samples = turns(pair[0], pair[1], verb, budget_s)
            except WorkerError as error:
                yield lost(verb, str(error))
                continue
            names = (("latticework", our_version()), (peer, told))
            sides = [_side(case, *names[i], samples[i], bits[i], facts[i]["facts"], verb) for i in range(2)]
            yield Duel(f"{case.kind}_{verb}", case.name, case.threads, sides[0], sides[1])


def _ready(worker: Worker, case: Case, name: str) -> dict[str, Any]:
    try:
        return worker.ask(set_up=case.set_up)
    except WorkerError as error:
        raise WorkerError(f"{name} could not be set up: {error}") from None


def _checked(worker: Worker, kind: str, verb: str, name: str) -> float | None:
    """The precision of a side's result in bits; WorkerError if it is wrong."""
    try:
        bits: float | None = worker.ask(check=verb)["bits"]
    except WorkerError as error:
        raise WorkerError(f"{name}: {error}") from None
    least = LEAST_BITS.get(kind, 0.0)
    if bits is not None and bits < least:
        raise WorkerError(f"{name}: the result is wrong, it has {bits} bits, expected {least:g}")
    return bits


def turns(ours: Worker, peer: Worker, verb: str, budget_s: float) -> tuple[list[float], list[float]]:
    """A B A B until the budget is spent: the same number of samples of both."""
    taken: tuple[list[float], list[float]] = ([], [])
    spent = 0.0
    while len(taken[0]) < FEWEST or (spent < budget_s and len(taken[0]) < MOST):
        for samples, worker in zip(taken, (ours, peer), strict=True):
            samples.append(worker.ask(time=verb)["seconds"])
            spent += 2 * samples[-1]
    return taken


def _side(
    case: Case,
    name: str,
    told: str,
    samples: list[float],
    bits: float | None,
    facts: dict[str, Any],
    verb: str,
) -> Side:
    log_qp = facts.get("log_qp")
    reached = security.reached(case.given["log_n"], log_qp) if log_qp is not None else None
    more = {k: v for k, v in facts.items() if k not in ("log_qp", "by_verb")} | facts.get("by_verb", {}).get(
        verb, {}
    )
    return Side(
        name, told, [float(f"{s:.6g}") for s in samples], log_qp and round(log_qp, 1), reached, bits, more
    )
