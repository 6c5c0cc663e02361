"""One organisation in a computation, and the same program run by one, two or three of them on one machine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from mpc import engine
from mpc.agreement import agree, facts
from mpc.choice import TREE, Comparing
from mpc.cost import Cost, Network, table
from mpc.dealer.client import DealerClient, deal_alone, join_dealer
from mpc.dealer.service import serve
from mpc.dealer.tuples import Request
from mpc.helperless import for_pair
from mpc.mesh import call, check_identity, connect_all
from mpc.pairwise import PairCommunicator
from mpc.processes import Exchange, Meeting, Task, run_processes
from mpc.randomness import KEY_BYTES, new_key
from mpc.roster import Member, Roster
from mpc.sharing import ADDITIVE, REPLICATED, checked, opening
from mpc.survival import Survival
from mpc.third import ThirdDealer
from mpc.transport import ChannelCommunicator
from pqc import Identity, Listener, PublicIdentity, TrustStore
from pqc.channel import Channel

DEALER = "dealer"


class Party:
    """This process in a computation among `names`; make one with `Party.join`, or let `run_local` do it."""

    def __init__(
        self,
        names: tuple[str, ...],
        communicator: ChannelCommunicator,
        dealer: DealerClient | ThirdDealer,
        dealer_channel: Channel | None,
        identity: Identity,
        agreed: dict[str, str],
    ) -> None:
        """`agreed` are the facts that were the same at all parties."""
        self.names = names
        self.identity = identity
        self.agreed = agreed
        self.survival: Survival | None = None
        self.rank = communicator.get_rank()
        self._communicator = communicator
        self._dealer = dealer
        self._dealer_channel = dealer_channel
        self._joined = self._spent()
        self._sections: dict[str, Cost] = {}

    @classmethod
    def join(
        cls,
        identity: Identity,
        listener: Listener | None,
        roster: Roster,
        timeout_s: float = 60.0,
        program: str | None = None,
        comparison: str | Network = TREE,
        sharing: str = ADDITIVE,
    ) -> Party:
        """Connect to all other parties and the dealer, and start the engine in this process.

        `listener` must be bound to this party's address in the roster and trust its members; only the last
        party needs none. `program` is a digest of what is to be computed. `comparison` is "tree" for few
        bytes, "dcf" for one round between two parties or on replicated shares, or the network for which to
        choose by cost (mpc.choice). `sharing` is "additive", or among three parties "replicated", where the
        third one takes the dealer's place and no dealer is called (mpc.protocols.replicated). All these, the
        roster and the versions must be the same everywhere, or Disagreement says what differs. Raises
        ValueError if the identity is not the roster's or the roster lacks a dealer, PeerRefused for a peer
        that is not who the roster says, TimeoutError naming who does not come within `timeout_s`. A party
        silent for that long later is lost.
        """
        check_identity(identity, roster)
        replicated = checked(sharing, len(roster.parties)) == REPLICATED
        comparing = Comparing(comparison, opening(sharing, len(roster.parties)))
        if len(roster.parties) > 1 and roster.dealer is None and not replicated:
            raise ValueError(
                f"{len(roster.parties)} parties need a dealer, and the roster names none: "
                f"only sharing {REPLICATED!r} does without"
            )
        rank = roster.names.index(identity.name)
        named = connect_all(identity, listener, roster, roster.parties, timeout_s)
        channels = {roster.names.index(name): channel for name, channel in named.items()}
        communicator = (PairCommunicator if replicated else ChannelCommunicator)(rank, channels, timeout_s)
        agreed = facts(roster, program, comparing.fact(), sharing)
        agree(communicator, roster.names, agreed)
        if isinstance(communicator, PairCommunicator):
            third = ThirdDealer(communicator)
            engine.start(communicator, third, _agree_on_keys(communicator), comparing)
            return cls(roster.names, communicator, third, None, identity, agreed)
        dealer_channel = _call_dealer(identity, roster, timeout_s)
        if dealer_channel:
            communicator.watch(dealer_channel)
        dealer = join_dealer(dealer_channel, rank, timeout_s) if dealer_channel else deal_alone()
        engine.start(communicator, dealer, _agree_on_keys(communicator), comparing)
        return cls(roster.names, communicator, dealer, dealer_channel, identity, agreed)

    @property
    def name(self) -> str:
        """This party's name in the roster."""
        return self.names[self.rank]

    @property
    def world_size(self) -> int:
        """How many parties compute; the dealer is not among them."""
        return len(self.names)

    def secret(self, value: Any, owner: str | int, size: Sequence[int]) -> Any:
        """Share `owner`'s array of shape `size` with all parties; the others pass None.

        Returns a CrypTen tensor: fixed point with 16 fractional bits, additive shares mod 2^64. Raises
        ValueError for another shape, for NaN and infinity, for magnitudes from 2^30 on, for a party that is
        none, and where the owner gives nothing or another party something.
        """
        rank = self._rank_of(owner)
        if (value is None) == (rank == self.rank):
            raise ValueError(
                f"{self.name} gave {'nothing' if value is None else 'a value'} for {owner!r}'s secret"
            )
        tensor = None if value is None else torch.as_tensor(value, dtype=torch.float64)
        return engine.secret(tensor, rank, size)

    def reveal(self, shared: Any, to: str | int | None = None) -> torch.Tensor | None:
        """The value in the clear, to all parties or to one (None at the others); all must call it alike."""
        destination = None if to is None else self._rank_of(to)
        value = shared.get_plain_text(dst=destination)
        return value if destination in (None, self.rank) else None

    def cost(self) -> Cost:
        """What this party has spent since it joined."""
        return self._spent() - self._joined

    def dealt(self) -> Counter[Request]:
        """How many tuples of each kind this computation has used: what a stock for its like must hold."""
        return Counter(self._dealer.dealt)

    def _spent(self) -> Cost:
        channel = self._dealer_channel
        return Cost(
            rounds=self._communicator.rounds,
            bytes_sent=self._communicator.bytes_sent,
            dealer_rounds=self._dealer.rounds,
            dealer_bytes_sent=channel.bytes_sent if channel else 0,
            dealer_bytes_received=self._dealer.bytes_received,
            seconds_s=time.monotonic(),
        )

    def new_keys(self) -> engine.SharedKeys:
        """Agree with all parties on fresh keys for sharings of zero and coins."""
        return _agree_on_keys(self._communicator)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Count what is done inside under `name` in the report; the same name adds up."""
        before = self.cost()
        yield
        self._sections[name] = self._sections.get(name, Cost()) + (self.cost() - before)

    @property
    def costs(self) -> dict[str, Cost]:
        """What each section has cost this party so far, by its name."""
        return dict(self._sections)

    def report(self, network: Network | None = None) -> str:
        """A table of what each section has cost this party, and would cost on `network`."""
        return table(self._sections, network)

    def leave(self) -> None:
        """Close all channels in order; the dealer's too, once what was ordered ahead has come in."""
        self._dealer.finish()
        self.abandon()

    def abandon(self) -> None:
        """Close all channels as they are, after a failure."""
        self._communicator.close()
        if self._dealer_channel:
            self._dealer_channel.close()

    def _rank_of(self, party: str | int) -> int:
        if isinstance(party, str) and party in self.names:
            return self.names.index(party)
        if isinstance(party, int) and 0 <= party < self.world_size:
            return party
        raise ValueError(f"{party!r} is no party; there are {list(self.names)}")


def run_local(
    program: Callable[..., Any],
    parties: int = 2,
    *,
    inputs: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
    timeout_s: float = 300.0,
    comparison: str | Network = TREE,
    sharing: str = ADDITIVE,
) -> list[Any]:
    """Run `program(party)` as 1, 2 or 3 processes on this machine; their results in rank order.

    With `inputs`, party i runs `program(party, inputs[i])`, and no other process gets inputs[i]. Each party,
    and the dealer where there are two or more, is a process of its own with a fresh identity; they talk over
    loopback through post-quantum channels. `comparison` and `sharing` are those of `Party.join`; with
    "replicated" there is no dealer. Raises ProcessFailed with
    the failing party's name, traceback and exit code, TimeoutError after `timeout_s` seconds; no process
    outlives the call.
    """
    if not 1 <= parties <= 3:
        raise ValueError(f"parties must be 1, 2 or 3, got {parties}")
    names = [f"party-{rank}" for rank in range(parties)] if names is None else list(names)
    if len(set(names) | {DEALER}) != parties + 1:
        raise ValueError(f"{parties} parties need as many different names other than {DEALER!r}, got {names}")
    if inputs is not None and len(inputs) != parties:
        raise ValueError(f"{parties} parties need as many inputs, got {len(inputs)}")
    Comparing(
        comparison, opening(checked(sharing, parties), parties)
    )  # refuses what cannot be before any process starts
    tasks = [
        Task(
            name,
            _run_party,
            (
                program,
                name,
                () if inputs is None else (inputs[rank],),
                parties,
                timeout_s,
                comparison,
                sharing,
            ),
        )
        for rank, name in enumerate(names)
    ]
    if parties > 1 and sharing != REPLICATED:
        tasks.append(Task(DEALER, run_dealer, (parties, timeout_s)))
    return run_processes(tasks, timeout_s)[:parties]


def _run_party(
    meeting: Meeting,
    program: Callable[..., Any],
    name: str,
    inputs: tuple[Any, ...],
    parties: int,
    timeout_s: float,
    comparison: str | Network = TREE,
    sharing: str = ADDITIVE,
) -> Any:
    # Several processes share the cores; more threads than that only fight over them.
    torch.set_num_threads(1)
    identity, listener, roster = meet(meeting, name, parties)
    with listener:
        party = Party.join(identity, listener, roster, timeout_s, comparison=comparison, sharing=sharing)
    try:
        result = program(party, *inputs)
    except BaseException:
        party.abandon()
        raise
    party.leave()
    return result


def run_dealer(meeting: Exchange, parties: int, timeout_s: float) -> None:
    """The helper process of a local run."""
    torch.set_num_threads(1)
    identity, listener, roster = meet(meeting, DEALER, parties)
    with listener:
        deal(identity, listener, roster, timeout_s)


def deal(identity: Identity, listener: Listener, roster: Roster, timeout_s: float) -> None:
    """Be the roster's dealer for one computation: wait for all parties, then serve until they are done."""
    check_identity(identity, roster)
    channels: dict[str, Channel] = {}
    deadline = time.monotonic() + timeout_s
    while missing := set(roster.names) - set(channels):
        try:
            channel = listener.accept(timeout_s=max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise TimeoutError(f"no connection within {timeout_s:g} s from: {sorted(missing)}") from None
        channels[channel.peer] = channel
    try:
        serve([channels[name] for name in roster.names])
    finally:
        for channel in channels.values():
            channel.close()


def meet(meeting: Exchange, name: str, parties: int) -> tuple[Identity, Listener, Roster]:
    """Make an identity for this run and learn the others' and their addresses through the parent process."""
    identity = Identity.create(name)
    publics = [PublicIdentity.from_bytes(data) for data in meeting.exchange(identity.public.to_bytes())]
    listener = Listener(identity, TrustStore(publics))
    addresses = meeting.exchange(listener.address)
    members = [
        Member(public.name, public.fingerprint, tuple(address))
        for public, address in zip(publics, addresses, strict=True)
    ]
    return (
        identity,
        listener,
        Roster(tuple(members[:parties]), members[parties] if len(members) > parties else None),
    )


def _call_dealer(identity: Identity, roster: Roster, timeout_s: float) -> Channel | None:
    if roster.dealer is None or len(roster.parties) == 1:
        return None
    return call(identity, roster, roster.dealer, time.monotonic() + timeout_s)


def _agree_on_keys(communicator: ChannelCommunicator) -> engine.SharedKeys:
    """Give the next party a key, get one from the previous, and add up everybody's coins."""
    rank, parties = communicator.get_rank(), communicator.get_world_size()
    if parties == 1:
        own = new_key()
        return engine.SharedKeys(own, own, new_key(), new_key())
    own, coins = new_key(), new_key()
    following, previous = (rank + 1) % parties, (rank - 1) % parties
    others = [peer for peer in range(parties) if peer != rank]
    received = communicator.swap_bytes({peer: coins + (own if peer == following else b"") for peer in others})
    for peer, message in received.items():
        expected = KEY_BYTES * (2 if peer == previous else 1)
        if len(message) != expected:
            raise ValueError(f"rank {peer} sent keys of {len(message)} bytes, expected {expected}")
        coins = bytes(a ^ b for a, b in zip(coins, message, strict=False))
    keys = engine.SharedKeys(received[previous][KEY_BYTES:], own, coins, new_key())
    return for_pair(keys, rank) if isinstance(communicator, PairCommunicator) else keys
