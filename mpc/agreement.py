"""Before anything is computed, the parties compare what must be the same at all of them."""

from __future__ import annotations

import importlib.metadata
import platform

from mpc.roster import Roster
from mpc.transport import ChannelCommunicator

VERSIONS_OF = ("latticework", "crypten", "torch", "numpy")


class Disagreement(ValueError):
    """The parties hold different programs, rosters or versions; names the facts and who says what."""


def facts(
    roster: Roster, program: str | None, comparison: str | None = None, sharing: str | None = None
) -> dict[str, str]:
    """What this party brings: digests (hexadecimal SHA-256) of roster and program, versions, settings."""
    versions = {name: importlib.metadata.version(name) for name in VERSIONS_OF}
    own = {"roster": roster.digest(), "python": platform.python_version(), **versions}
    given = {"program": program, "comparison": comparison, "sharing": sharing}
    return own | {name: fact for name, fact in given.items() if fact is not None}


def agree(communicator: ChannelCommunicator, names: tuple[str, ...], own: dict[str, str]) -> None:
    """Exchange the facts with all parties; raises Disagreement, at every party, unless all are equal."""
    others = [peer for peer in range(len(names)) if peer != communicator.get_rank()]
    for peer in others:
        communicator.send_obj(own, peer)
    said = {peer: _checked(communicator.recv_obj(peer), names[peer]) for peer in others}
    differences = [
        f"{fact} at {names[peer]} is {theirs.get(fact, 'missing')}, here {own.get(fact, 'missing')}"
        for peer, theirs in said.items()
        for fact in sorted(set(own) | set(theirs))
        if own.get(fact) != theirs.get(fact)
    ]
    if differences:
        raise Disagreement("the parties do not agree: " + "; ".join(differences))


def _checked(said: object, name: str) -> dict[str, str]:
    if not isinstance(said, dict) or not all(isinstance(text, str) for pair in said.items() for text in pair):
        raise Disagreement(f"{name} sent {type(said).__name__} where facts were expected")
    return said
