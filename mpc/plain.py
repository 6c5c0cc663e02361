"""Programs written for plain CrypTen, run unchanged and safely on one machine.

    import mpc; mpc.install(); import crypten

Processes that set RANK, WORLD_SIZE and RENDEZVOUS, and functions decorated with
`crypten.mpc.run_multiprocess`, then find each other when they call `crypten.init()`: with identities made
for the run, post-quantum channels over loopback, and a helper process as dealer.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mpc import engine
from mpc.party import Party, meet, run_dealer
from mpc.rendezvous import FileMeeting
from mpc.roster import Member, Roster
from pqc import ChannelError, Identity

TIMEOUT_S = 600.0
_SCHEME = "file://"


def install(timeout_s: float = TIMEOUT_S) -> None:
    """Make `import crypten` safe, and let `crypten.init()` start parties in a local mode.

    To be called before `import crypten`. As CrypTen documents it, RANK and WORLD_SIZE say which of how many
    parties (at most 3) this process is, one alone where they are not set; RENDEZVOUS=file:///path names a
    file in which all of them meet. Processes that `multiprocessing` starts from here, by fork or spawn, need
    no call of their own. `timeout_s` is how long to wait for the others, at the start and later.

    This mode trusts the user of the machine: everything that runs as this user could read a party's memory
    or take its place. Organisations that do not trust each other use `mpc.Party` on machines of their own.
    CrypTen's insecure dealers, where a program asks for them by name, are replaced with a warning.
    """
    engine.open_door(lambda: _join(timeout_s))
    # A spawned process unpickles this before it imports the program's modules.
    vars(multiprocessing.current_process())["_config"]["mpc.install"] = _Again(timeout_s)


class _Again:
    """Installs in the process in which it is unpickled."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def __reduce__(self) -> tuple[Callable[[float], _Again], tuple[float]]:
        return _install_again, (self._timeout_s,)


def _install_again(timeout_s: float) -> _Again:
    install(timeout_s)
    return _Again(timeout_s)


def _join(timeout_s: float) -> Callable[[], None]:
    """Become the party that the environment says; gives the function to leave."""
    rank, parties = _place(os.environ)
    if parties == 1:
        identity = Identity.create("party-0")
        roster = Roster((Member(identity.name, identity.fingerprint, ("127.0.0.1", 0)),))
        return Party.join(identity, None, roster, timeout_s).leave
    path = _path(os.environ.get("RENDEZVOUS"), parties)
    # Several processes share the cores; more threads than that only fight over them.
    torch.set_num_threads(1)
    dealer = _start_dealer(path, parties, timeout_s) if rank == 0 else None
    try:
        party = _meet_at(path, rank, parties, timeout_s)
    except BaseException:
        if dealer:
            dealer.terminate()
        raise

    def leave() -> None:
        party.leave()
        if dealer:
            dealer.wait(timeout_s)

    return leave


def _meet_at(path: Path, rank: int, parties: int, timeout_s: float) -> Party:
    meeting = FileMeeting(path, rank, parties + 1, timeout_s)
    identity, listener, roster = meet(meeting, f"party-{rank}", parties)
    with listener:
        party = Party.join(identity, listener, roster, timeout_s)
    meeting.close()
    return party


def _place(environment: Any) -> tuple[int, int]:
    """RANK and WORLD_SIZE."""
    numbers = {}
    for name, default in [("RANK", "0"), ("WORLD_SIZE", "1")]:
        text = environment.get(name, default)
        if not text.isdecimal():
            raise ValueError(f"{name} must be a whole number, got {text!r}")
        numbers[name] = int(text)
    rank, parties = numbers["RANK"], numbers["WORLD_SIZE"]
    if not 1 <= parties <= 3 or not rank < parties:
        raise ValueError(f"WORLD_SIZE must be 1, 2 or 3 and RANK below it, got {parties} and {rank}")
    return rank, parties


def _path(rendezvous: str | None, parties: int) -> Path:
    if rendezvous is None or not rendezvous.startswith(_SCHEME):
        raise ValueError(
            f"{parties} parties meet in a file on one machine, RENDEZVOUS=file:///path, got {rendezvous!r}; "
            "for several machines use mpc.Party"
        )
    return Path(rendezvous.removeprefix(_SCHEME))


def _start_dealer(path: Path, parties: int, timeout_s: float) -> subprocess.Popen[bytes]:
    """A helper in an interpreter of its own, which shares no memory with any party."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "mpc.plain", str(path), str(parties), str(timeout_s)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)  # noqa: S603


def _deal(path: str, parties: str, timeout_s: str) -> None:
    """The helper's program; it ends with the run, however that ends."""
    meeting = FileMeeting(Path(path), int(parties), int(parties) + 1, float(timeout_s))
    with contextlib.suppress(ChannelError, ConnectionError):
        run_dealer(meeting, int(parties), float(timeout_s))


if __name__ == "__main__":
    _deal(*sys.argv[1:])
