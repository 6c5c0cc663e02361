"""Connect the members of a roster: each calls those before it and answers those behind it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mpc.roster import Member, Roster
from pqc import Identity, Listener, connect
from pqc.channel import Channel

# How long to wait before calling again somebody who does not listen yet.
RETRY_S = 0.1


def check_identity(identity: Identity, roster: Roster) -> Member:
    """This member's entry. Raises ValueError where the roster has another name or fingerprint."""
    member = roster.member(identity.name)
    if member.fingerprint != identity.fingerprint:
        raise ValueError(
            f"{identity.name!r} has fingerprint {identity.fingerprint}, the roster says {member.fingerprint}"
        )
    return member


def connect_all(
    identity: Identity, listener: Listener | None, roster: Roster, members: Sequence[Member], timeout_s: float
) -> dict[str, Channel]:
    """A channel to each other one of `members`, which includes this one, by name.

    `listener` answers the members behind this one and may be None for the last. Members that do not listen
    yet are called again until `timeout_s`, then TimeoutError names them. Raises PeerRefused for an impostor.
    """
    names = [member.name for member in members]
    me = names.index(identity.name)
    deadline = time.monotonic() + timeout_s
    channels = {member.name: call(identity, roster, member, deadline) for member in members[:me]}
    missing = set(names[me + 1 :])
    while missing:
        if listener is None:
            raise ValueError(f"{identity.name} has {sorted(missing)} to answer and needs a listener")
        try:
            channel = listener.accept(timeout_s=max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise TimeoutError(f"no connection within {timeout_s:g} s from: {sorted(missing)}") from None
        if channel.peer not in missing:
            channel.close()
            continue
        missing.remove(channel.peer)
        channels[channel.peer] = channel
    return channels


def call(identity: Identity, roster: Roster, member: Member, deadline: float) -> Channel:
    """Connect to `member`, again and again until `deadline` (of time.monotonic) if it does not listen yet."""
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            host, port = member.address
            raise TimeoutError(f"{member.name} does not answer at {host}:{port}")
        try:
            return connect(member.address, identity, roster.trust(), peer=member.name, timeout_s=remaining)
        except ConnectionRefusedError:
            time.sleep(min(RETRY_S, max(0.0, remaining)))
