"""Keep watch over ratios to SEAL, path by path: a quarter below the stored one, twice measured, is a fall.

Ratios and not times, since times are the machine's; of the fastest times, which other work on the machine
disturbs least: a long call is interrupted more often than a short one. What fell is measured once more before
it counts; what is stored is the smaller of two measurements.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import duel
from benchmarks.peers import PEERS
from benchmarks.peers.cases import N13, N14, SWITCHING, Case
from he import kernels

BASELINE = Path(__file__).parent / "results" / "guard.json"
FORMAT, VERSION = "latticework-guard", 1
FALL = 0.75
BUDGET_S = 3.0
Ratios = dict[str, float]


def cases() -> list[Case]:
    """Rotations and products on every compiled path of this machine, all verbs on the fastest."""
    if not kernels.available():
        raise ValueError("the compiled kernels are not built: there is nothing to watch")
    ways = [path for path in kernels.paths() if path != "reference"]
    slower = [Case("ckks", f"n=2^13-{path}", N13 | {"path": path}, SWITCHING) for path in ways[:-1]]
    best = ways[-1]
    verbs = ("encode", "encrypt", "decrypt", *SWITCHING)
    return [
        *slower,
        Case("ckks", f"n=2^13-{best}", N13 | {"path": best}, verbs),
        Case("ckks", f"n=2^14-{best}", N14 | {"path": best}, SWITCHING),
    ]


def measure(of: Sequence[Case] | None = None, ours: Sequence[str] | None = None) -> Ratios:
    """Ratios by name; `ours` is the command of our side. ValueError: a wrong result, or no SEAL."""
    seal = PEERS["seal"]
    if reason := seal.why_missing():
        raise ValueError(f"the guard measures beside SEAL, and {reason}")
    commands = (ours or [sys.executable, "-m", duel.OURS["ckks"]], seal.command("ckks"))
    found: Ratios = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in cases() if of is None else of:
            for fought in duel.fight(case, "seal", seal.version(), commands, BUDGET_S, Path(folder) / "log"):
                if fought.reason:
                    raise ValueError(f"{fought.id} failed: {fought.reason}")
                found[fought.id] = round(fought.best, 3)
    return found


def store(path: Path, ratios: Ratios) -> None:
    """Keep these as what later ones are held against."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, "version": VERSION, "ratios": ratios}, indent=1) + "\n")


def load(path: Path) -> Ratios:
    """The stored ratios; ValueError says what is wrong with the file."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; --update stores one") from None
    except ValueError:
        raise ValueError(f"{path} is damaged: it is not JSON") from None
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise ValueError(f"{path} is no baseline of version {VERSION}")
    ratios: Ratios = content["ratios"]
    return ratios


def fallen(baseline: Ratios, measured: Ratios) -> list[str]:
    """The names of the ratios below three quarters of the stored ones; ValueError if none is in both."""
    common = [name for name in measured if name in baseline]
    if not common:
        raise ValueError("the baseline has none of the ratios that this machine can measure")
    return [name for name in common if measured[name] < FALL * baseline[name]]


def watch(path: Path, measured: Ratios, ours: Sequence[str] | None = None) -> list[str]:
    """What fell twice: its case is measured again, and `measured` takes the better of the two."""
    baseline = load(path)
    first = fallen(baseline, measured)
    again = [case for case in cases() if any(f"[{case.name}]" in name for name in first)]
    if again:
        for name, ratio in measure(again, ours).items():
            measured[name] = max(ratio, measured.get(name, 0.0))
    return fallen(baseline, measured)


def told(path: Path, measured: Ratios) -> Iterator[str]:
    """One line a ratio."""
    baseline = load(path)
    for name, ratio in measured.items():
        stored = f"stored {baseline[name]:.2f}" if name in baseline else "not stored"
        yield f"{name:45s} {ratio:6.2f}  {stored}"
