"""The handshake: everything that can be done to its messages, in every state, and frozen recorded runs."""

import pickle
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import pqc
from pqc import handshake
from pqc.handshake import ONE_BYTES, THREE_BYTES, TWO_BYTES, HandshakeError, Initiator, Responder
from pqc.schedule import HandshakeKeys

ALICE, BOB = pqc.Identity.create("alice"), pqc.Identity.create("bob")
TRUST = pqc.TrustStore([ALICE.public, BOB.public])


def pair(prologue: bytes = b"p", psk: bytes | None = None) -> tuple[Initiator, Responder]:
    return (
        Initiator(ALICE, TRUST, peer="bob", prologue=prologue, psk=psk),
        Responder(BOB, TRUST, prologue=prologue, psk=psk),
    )


def run(initiator: Initiator, responder: Responder) -> None:
    two = responder.read(initiator.start())
    assert two is not None
    assert responder.read(initiator.read(two)) is None


@pytest.mark.parametrize("psk", [None, bytes(range(32))])
def test_both_ends_know_each_other_and_share_keys(psk: bytes | None) -> None:
    initiator, responder = pair(psk=psk)
    run(initiator, responder)
    mine, theirs = initiator.session, responder.session
    assert (mine.peer, theirs.peer) == ("bob", "alice")
    assert mine.export("x", 32) == theirs.export("x", 32) != mine.export("y", 32)
    for sender, receiver in ((mine, theirs), (theirs, mine)):
        (record,) = sender.sealer.seal(b"hello")
        assert receiver.opener.open(record) == b"hello"


def test_messages_have_the_declared_sizes_whoever_speaks() -> None:
    long_name = pqc.Identity.create("x" * 64)
    trust = pqc.TrustStore([long_name.public, BOB.public])
    initiator = Initiator(long_name, trust, peer="bob")
    responder = Responder(BOB, trust)
    one = initiator.start()
    two = responder.read(one)
    assert two is not None
    three = initiator.read(two)
    assert (len(one), len(two), len(three)) == (ONE_BYTES, TWO_BYTES, THREE_BYTES) == (1253, 6658, 5506)
    responder.read(three)
    assert responder.session.peer == "x" * 64


def test_no_two_runs_share_anything() -> None:
    first, second = pair(), pair()
    run(*first)
    run(*second)
    assert first[0].session.export("x", 32) != second[0].session.export("x", 32)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ((b"a", None), (b"b", None)),
        ((b"", bytes(32)), (b"", b"\1" * 32)),
        ((b"", b"\1" * 32), (b"", None)),
    ],
)
def test_a_different_prologue_or_pre_shared_key_fails(
    ours: tuple[bytes, bytes | None], theirs: tuple[bytes, bytes | None]
) -> None:
    initiator, responder = pair(*ours)[0], pair(*theirs)[1]
    two = responder.read(initiator.start())
    assert two is not None
    with pytest.raises(HandshakeError, match="not authentic"):
        initiator.read(two)


def flips(size: int, every: int) -> Iterator[tuple[int, int]]:
    """All header bytes, then every n-th byte, with the flipped bit moving along."""
    for place in (*range(48), *range(48, size, every), size - 1):
        yield place, 1 << place % 8


def flipped(message: bytes, place: int, mask: int) -> bytes:
    return message[:place] + bytes([message[place] ^ mask]) + message[place + 1 :]


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_message_one_flipped_anywhere_never_leads_to_a_session(every: int) -> None:
    for place, mask in flips(ONE_BYTES, every):
        initiator, responder = pair()
        try:
            two = responder.read(flipped(initiator.start(), place, mask))
        except HandshakeError:
            continue
        assert two is not None
        with pytest.raises(HandshakeError):
            initiator.read(two)


def copied(initiator: Initiator) -> Initiator:
    """The same run again: an initiator fails for good, so each attempt needs its own."""
    again = Initiator(ALICE, TRUST, peer="bob", prologue=b"p", ephemeral=initiator._ephemeral)
    again.start()
    return again


def test_message_two_flipped_anywhere_is_refused() -> None:
    initiator, responder = pair()
    two = responder.read(initiator.start())
    assert two is not None
    copied(initiator).read(two)
    for place, mask in flips(TWO_BYTES, 1):
        with pytest.raises(HandshakeError):
            copied(initiator).read(flipped(two, place, mask))


def waiting(responder: Responder) -> Responder:
    """The same run again, before message 3."""
    again = pair()[1]
    again._keys, again._transcript_at_two = responder._keys, responder._transcript_at_two
    again._transcript, again._waiting_for = responder._transcript.copy(), 3
    return again


def test_message_three_flipped_anywhere_is_refused() -> None:
    initiator, responder = pair()
    two = responder.read(initiator.start())
    assert two is not None
    three = initiator.read(two)
    waiting(responder).read(three)
    for place, mask in flips(THREE_BYTES, 1):
        attempt = waiting(responder)
        with pytest.raises(HandshakeError):
            attempt.read(flipped(three, place, mask))
        with pytest.raises(HandshakeError, match="not finished"):
            _ = attempt.session


def test_messages_of_every_other_length_are_refused() -> None:
    initiator, responder = pair()
    one = initiator.start()
    two = responder.read(one)
    assert two is not None
    three = copied(initiator).read(two)
    # Head, random number, ML-KEM's and X25519's shares, then the sealed identity, signature and MAC.
    ends = {1: (0, 5, 37, 1221), 2: (0, 5, 37, 1125, 1157, 3221, 6594, 6642), 3: (0, 5, 2069, 5442, 5490)}
    readers: tuple[tuple[int, bytes, Callable[[], Initiator | Responder]], ...] = (
        (1, one, lambda: pair()[1]),
        (2, two, lambda: copied(initiator)),
        (3, three, lambda: waiting(responder)),
    )
    for number, whole, reader in readers:
        sizes = {end + more for end in ends[number] for more in (-1, 0, 1)} - {-1}
        for size in (*sizes, len(whole) - 1, len(whole) + 1, 2 * len(whole)):
            why = f"message {number} of {len(whole)} bytes, got {size} "
            with pytest.raises(HandshakeError, match=why):
                reader().read((whole + whole)[:size])


def test_replayed_and_reflected_messages_are_refused() -> None:
    initiator, responder = pair()
    one = initiator.start()
    two = responder.read(one)
    assert two is not None
    three = initiator.read(two)
    for message in (one, two, three):
        other_initiator, other_responder = pair()
        other_initiator.start()
        with pytest.raises(HandshakeError):
            other_initiator.read(message)  # its own kind back, another run's answer, a message 3
        if message is not one:
            with pytest.raises(HandshakeError):
                other_responder.read(message)
    late_initiator, late_responder = pair()
    late_responder.read(late_initiator.start())
    with pytest.raises(HandshakeError, match="not authentic"):
        late_responder.read(three)


def test_a_zero_share_and_a_key_that_is_not_reduced_are_refused() -> None:
    one = pair()[0].start()
    with pytest.raises(HandshakeError, match="gives zero"):
        pair()[1].read(one[:-32] + bytes(32))
    with pytest.raises(HandshakeError, match="below 3329"):
        pair()[1].read(one[:37] + b"\xff" * 1184 + one[-32:])
    initiator, responder = pair()
    two = responder.read(initiator.start())
    assert two is not None
    clear = handshake.TWO_CLEAR_BYTES
    with pytest.raises(HandshakeError, match="not authentic"):
        initiator.read(two[: clear - 32] + bytes(32) + two[clear:])


def test_wrong_unknown_and_revoked_identities_are_refused() -> None:
    mallory = pqc.Identity.create("mallory")
    everybody = pqc.TrustStore([ALICE.public, BOB.public, mallory.public])
    revoked = pqc.TrustStore([ALICE.public, BOB.public])
    revoked.revoke(BOB.fingerprint, "lost")
    impostor = pqc.Identity.create("bob")
    for responder, trust, why in (
        (mallory, everybody, "expected the peer 'bob', got 'mallory'"),
        (impostor, TRUST, "expected the pinned"),
        (BOB, revoked, "revoked: lost"),
    ):
        initiator = Initiator(ALICE, trust, peer="bob")
        two = Responder(responder, everybody).read(initiator.start())
        assert two is not None
        with pytest.raises(pqc.PeerRefused, match=why):
            initiator.read(two)
    for identity, expected, why in ((mallory, None, "pinned peers"), (mallory, "alice", "the peer 'alice'")):
        initiator = Initiator(identity, everybody, peer="bob")
        answerer = Responder(BOB, TRUST, peer=expected)
        two = answerer.read(initiator.start())
        assert two is not None
        with pytest.raises(pqc.PeerRefused, match=why):
            answerer.read(initiator.read(two))
        with pytest.raises(HandshakeError, match="not finished"):
            _ = answerer.session


def test_nobody_talks_to_itself() -> None:
    initiator, responder = Initiator(ALICE, TRUST, peer="alice"), Responder(ALICE, TRUST)
    two = responder.read(initiator.start())
    assert two is not None
    with pytest.raises(pqc.PeerRefused, match="this end's own identity 'alice'"):
        initiator.read(two)


def waiting_keys() -> HandshakeKeys:
    """The keys of a responder that waits for message 3."""
    initiator, responder = pair()
    responder.read(initiator.start())
    assert responder._keys is not None
    return responder._keys


def test_secrets_are_neither_shown_nor_pickled() -> None:
    initiator, responder = pair()
    run(initiator, responder)
    keys = waiting_keys()
    session = initiator.session
    for secret in (initiator, responder, session, session.sealer, initiator._ephemeral, keys, keys.initiator):
        assert initiator._ephemeral.seed.hex()[:16] not in repr(secret)
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)


class EveryMessageInEveryState(RuleBasedStateMachine):
    """Honest parties and a mailbox from which any message of this or an older run may be given to anybody."""

    OLD: list[bytes] = []  # noqa: RUF012 - filled once below

    def __init__(self) -> None:
        super().__init__()
        self.initiator, self.responder = pair()
        self.sent: list[bytes] = list(self.OLD)
        self.sent_to_responder: list[bytes] = []
        self.ended_badly: set[object] = set()

    @rule()
    def start(self) -> None:
        try:
            self.sent.append(self.initiator.start())
        except HandshakeError:
            assert self.initiator._started

    @precondition(lambda self: self.sent)
    @rule(choice=st.integers(0, 100), who=st.sampled_from(["initiator", "responder"]), cut=st.booleans())
    def deliver(self, choice: int, who: str, cut: bool) -> None:
        message = self.sent[choice % len(self.sent)]
        party = getattr(self, who)
        try:
            answer = party.read(message[:-1] if cut else message)
        except pqc.ChannelError:
            self.ended_badly.add(who)
            return
        assert not cut
        assert who not in self.ended_badly, "a party that has failed went on"
        if answer is not None:
            self.sent.append(answer)

    @invariant()
    def sessions_agree(self) -> None:
        """If the responder finished, the initiator did, and they hold the same keys."""
        if self.responder._session is not None:
            assert self.initiator._session is not None
            ours, theirs = self.initiator.session, self.responder.session
            assert ours.export("x", 32) == theirs.export("x", 32)
            assert (ours.peer, theirs.peer) == ("bob", "alice")


def _older_run() -> list[bytes]:
    initiator, responder = pair()
    one = initiator.start()
    two = responder.read(one)
    assert two is not None
    return [one, two, initiator.read(two)]


EveryMessageInEveryState.OLD = _older_run()
TestEveryMessageInEveryState = EveryMessageInEveryState.TestCase
TestEveryMessageInEveryState.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
