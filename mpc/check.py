"""Try out a roster before a run: is everybody there, is it them, do versions and clocks agree?"""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgpack

from mpc.agreement import facts
from mpc.mesh import check_identity, connect_all
from mpc.roster import Roster
from pqc import Identity, Listener
from pqc.channel import Channel

MAX_REPORT_BYTES = 1 << 14
# Clocks matter to people who compare logs, not to the protocols.
CLOCK_TOLERANCE_S = 5.0


@dataclass(frozen=True)
class Report:
    """What one member found out about another; `problems` is empty where all is well."""

    name: str
    round_trip_s: float
    clock_ahead_s: float
    problems: tuple[str, ...]


def check(identity: Identity, listener: Listener, roster: Roster, timeout_s: float) -> list[Report]:
    """Connect to every other member, which must run this too, and compare; one report each.

    Raises TimeoutError naming who cannot be reached, PeerRefused for an impostor, ValueError if this identity
    is not the roster's.
    """
    check_identity(identity, roster)
    own = facts(roster, None)
    channels = connect_all(identity, listener, roster, roster.members, timeout_s)
    try:
        for channel in channels.values():
            channel.send(msgpack.packb([own, time.time()]))
        return [_compare(channels[name], own, name > identity.name, timeout_s) for name in sorted(channels)]
    finally:
        for channel in channels.values():
            channel.close()


def _compare(channel: Channel, own: dict[str, str], first: bool, timeout_s: float) -> Report:
    theirs, clock_s = _said(channel, timeout_s)
    ahead = clock_s - time.time()
    problems = [
        f"{fact} is {theirs.get(fact, 'missing')}, here {own.get(fact, 'missing')}"
        for fact in sorted(set(own) | set(theirs))
        if own.get(fact) != theirs.get(fact)
    ]
    if abs(ahead) > CLOCK_TOLERANCE_S:
        problems.append(f"clock is {ahead:+.0f} s off")
    return Report(channel.peer, _round_trip_s(channel, first, timeout_s), ahead, tuple(problems))


def _round_trip_s(channel: Channel, first: bool, timeout_s: float) -> float:
    """Each end times one echo of the other; `first` says who begins."""
    if not first:
        channel.send(channel.receive(timeout_s=timeout_s))
    began = time.perf_counter()
    channel.send(b"echo")
    channel.receive(timeout_s=timeout_s)
    took = time.perf_counter() - began
    if first:
        channel.send(channel.receive(timeout_s=timeout_s))
    return took


def _said(channel: Channel, timeout_s: float) -> tuple[dict[str, str], float]:
    data = channel.receive(timeout_s=timeout_s)
    try:
        if len(data) > MAX_REPORT_BYTES:
            raise ValueError(f"at most {MAX_REPORT_BYTES} bytes were expected")
        said, clock_s = msgpack.unpackb(data)
        return {str(fact): str(value) for fact, value in said.items()}, float(clock_s)
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
        raise ValueError(f"{channel.peer} sent no report of itself ({len(data)} bytes): {error}") from error
