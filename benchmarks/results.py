"""A stored run: what was measured, where, and a check that the file is whole.

A file is one JSON object {"format", "version", "sha256", "body"}; the hash covers the body, so that a damaged
file is refused and not half believed. Times are seconds, memory is bytes, precision is bits.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median
from typing import Any, Self

FORMAT = "latticework-benchmarks"
VERSION = 1
OUTCOMES = ("passed", "failed", "skipped")


@dataclass(frozen=True)
class Entry:
    """One benchmark. samples_s is empty unless it passed; reason says why it did not."""

    id: str
    outcome: str
    reason: str = ""
    samples_s: list[float] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    peak_bytes: int | None = None
    took_s: float = 0.0

    @property
    def median_s(self) -> float:
        """The median of the samples; ValueError if there are none."""
        if not self.samples_s:
            raise ValueError(f"{self.id} has no samples: it {self.outcome}")
        return median(self.samples_s)

    @property
    def group(self) -> str:
        """The file it stands in, without test_ and .py."""
        return self.id.partition("::")[0].removeprefix("test_").removesuffix(".py")


@dataclass(frozen=True)
class Side:
    """One of two that took turns: which library, its samples, and what its parameters promise.

    log_qp: log2 of the ciphertext and key-switching moduli; security: bits by ePrint 2024/463, 0 below 128;
    bits: precision of the result; None where they have no meaning. facts: rounds, bytes, notes.
    """

    name: str
    version: str
    samples_s: list[float]
    log_qp: float | None = None
    security: int | None = None
    bits: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Duel:
    """The product and a peer on the same work in turns: samples i of both stand side by side."""

    work: str
    case: str
    threads: int
    ours: Side
    peer: Side
    reason: str = ""  # why it failed; then there are no samples

    @property
    def id(self) -> str:
        """What it is called: work[case]/peer."""
        return f"{self.work}[{self.case}]/{self.peer.name}"

    @property
    def ratios(self) -> list[float]:
        """How many times longer the peer took, pair by pair."""
        return [peer / ours for ours, peer in zip(self.ours.samples_s, self.peer.samples_s, strict=True)]

    @property
    def best(self) -> float:
        """The ratio of the shortest times, which other work on the machine disturbs least."""
        return min(self.peer.samples_s) / min(self.ours.samples_s)


@dataclass(frozen=True)
class Results:
    """A whole run. missing: peers that were asked for and could not run, with the reason."""

    started: str
    options: dict[str, Any]
    machine: dict[str, Any]
    limits: dict[str, Any]
    entries: list[Entry]
    duels: list[Duel]
    missing: dict[str, str]

    @property
    def failed(self) -> list[str]:
        """The ids of what failed."""
        return [e.id for e in self.entries if e.outcome == "failed"] + [d.id for d in self.duels if d.reason]

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        body = asdict(self)
        content = {"format": FORMAT, "version": VERSION, "sha256": _digest(body), "body": body}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(content, indent=1))
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a stored run; ValueError says what is wrong with the file."""
        try:
            content = json.loads(path.read_text())
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise ValueError(f"{path} is damaged: it is not JSON") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"{path} is no result of these benchmarks: its format is not {FORMAT!r}")
        if content.get("version") != VERSION:
            raise ValueError(f"{path} has version {content.get('version')!r}, expected {VERSION}")
        body = content.get("body")
        if not isinstance(body, dict) or content.get("sha256") != _digest(body):
            raise ValueError(f"{path} is damaged: its content does not have the hash it names")
        entries = [Entry(**_known(Entry, entry)) for entry in body["entries"]]
        return cls(**{**_known(cls, body), "entries": entries, "duels": [_duel(d) for d in body["duels"]]})


def _duel(body: dict[str, Any]) -> Duel:
    sides = {name: Side(**_known(Side, body[name])) for name in ("ours", "peer")}
    return Duel(**{**_known(Duel, body), **sides})


def _known(kind: type[Any], body: dict[str, Any]) -> dict[str, Any]:
    expected = {each.name for each in fields(kind)}
    if set(body) != expected:
        raise ValueError(f"{kind.__name__} has the fields {sorted(body)}, expected {sorted(expected)}")
    return body


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the output for this run alone; ValueError if another run writes to it now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"another run is writing to {path}: give --out another name, or wait") from None
        yield
