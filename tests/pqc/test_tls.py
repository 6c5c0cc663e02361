"""TLS without sockets: whatever is done to the bytes between two ends, they open unharmed or not at all."""

from collections.abc import Callable

import pytest

import pqc
from pqc import tls
from pqc.opening import PREFACE, Opening

Change = Callable[[bytes], bytes]
ALICE, BOB = pqc.Identity.create("alice"), pqc.Identity.create("bob")
TRUST = pqc.TrustStore([ALICE.public, BOB.public])


def client(trust: pqc.TrustStore = TRUST, identity: pqc.Identity = ALICE) -> Opening:
    return Opening(tls.Session(tls.context(identity), trust, server=False, expected="bob"), 1000)


def server(trust: pqc.TrustStore = TRUST, identity: pqc.Identity = BOB) -> Opening:
    return Opening(tls.Session(tls.context(identity), trust, server=True), 1000)


def carry(one: Opening, other: Opening, changes: dict[int, Change] | None = None) -> list[bytes]:
    """Carry flights back and forth, changing the numbered ones, until both ends are open; return them.

    Raises what an end raises, ChannelCut where both wait for ever.
    """
    flights: list[bytes] = []
    opened = [False, False]
    speaker, listener = (one, 0), (other, 1)
    for _ in range(8):
        end, place = speaker
        opened[place] = end.advance()
        flight = end.session.outgoing()
        flights.append(flight)
        if all(opened):
            return flights
        if change := (changes or {}).get(len(flights) - 1):
            flight = change(flight)
        if flight:
            listener[0].session.feed(flight)
        speaker, listener = listener, speaker
    raise pqc.ChannelCut("both ends wait")


def flip(place: int) -> Change:
    return lambda flight: flight[:place] + bytes([flight[place] ^ 1 << place % 8]) + flight[place + 1 :]


HONEST = carry(client(), server())
PREFACE_RECORD_BYTES = 5 + PREFACE.size + 17  # header, content, its type and the tag


def test_an_honest_pair_opens_with_the_group_and_knows_the_bounds() -> None:
    one, other = client(), server()
    carry(one, other)
    assert (one.session.peer, other.session.peer) == ("bob", "alice")
    assert one.peer_takes_bytes == other.peer_takes_bytes == 1000


def refused(flight: int, change: Change) -> None:
    """The end that reads the changed flight, or the other one after it, refuses; no other error escapes."""
    with pytest.raises(pqc.ChannelError):
        carry(client(), server(), {flight: change})


def places(flight: int, step: int) -> list[int]:
    """The first and the last 20 bytes of a flight's handshake and every step-th between."""
    end = len(HONEST[flight]) - (PREFACE_RECORD_BYTES if flight == 2 else 0)
    return sorted({*range(20), *range(20, end, step), *range(end - 20, end)})


@pytest.mark.parametrize("flight", [0, 1, 2])
@pytest.mark.parametrize("step", [43, pytest.param(1, marks=pytest.mark.slow)])
def test_a_bit_flipped_in_any_flight_is_refused_or_harmless(flight: int, step: int) -> None:
    """Harmless is only the version in the header of a record in the clear, which TLS 1.3 ignores.

    The last flight ends with the client's preface, which is left alone here; a test below damages records.
    """
    harmless = []
    for place in places(flight, step):
        one, other = client(), server()
        try:
            carry(one, other, {flight: flip(place)})
        except pqc.ChannelError:
            continue
        assert (one.session.peer, other.session.peer) == ("bob", "alice")
        assert one.session.export("x", 32) == other.session.export("x", 32)
        harmless.append(place)
    versions = {start + byte for start in clear_records(HONEST[flight]) for byte in (1, 2)}
    assert set(harmless) <= versions


def clear_records(flight: bytes) -> list[int]:
    """Where the records begin that are not encrypted (handshake 22, change_cipher_spec 20)."""
    starts, place = [], 0
    while place < len(flight):
        if flight[place] in (20, 22):
            starts.append(place)
        place += 5 + int.from_bytes(flight[place + 3 : place + 5], "big")
    return starts


@pytest.mark.parametrize("flight", [0, 1, 2])
@pytest.mark.parametrize("step", [97, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flight_cut_short_leaves_nobody_open(flight: int, step: int) -> None:
    for cut in places(flight, step):
        refused(flight, lambda whole, cut=cut: whole[:cut])  # type: ignore[misc]


def test_replayed_flights_of_another_run_are_refused() -> None:
    """The first flight alone may come again: its sender then cannot finish."""
    for flight in range(3):
        refused(flight, lambda _, flight=flight: HONEST[flight])  # type: ignore[misc]
    refused(1, lambda flight: flight + flight)
    one, other = client(), server()
    carry(one, other, {2: lambda flight: flight + flight})
    with pytest.raises(pqc.ChannelCut):
        other.session.read(100)


def test_reflected_flights_and_swapped_roles_are_refused() -> None:
    for one, other in ((client(), client(identity=BOB)), (server(), server(identity=ALICE))):
        with pytest.raises(pqc.ChannelError):
            carry(one, other)
    mirror = client()
    mirror.advance()
    mirror.session.feed(mirror.session.outgoing())
    with pytest.raises(pqc.PeerRefused):
        mirror.advance()


def key_share(hello: bytes) -> int:
    """Where the X25519MLKEM768 share (0x11ec, 1216 bytes) begins in a client's first flight."""
    return hello.index(b"\x11\xec\x04\xc0") + 4


def test_a_zero_share_is_refused() -> None:
    def zero(hello: bytes) -> bytes:
        start = key_share(hello) + 1184
        return hello[:start] + bytes(32) + hello[start + 32 :]

    refused(0, zero)


def test_a_key_that_is_not_reduced_is_refused() -> None:
    def unreduced(hello: bytes) -> bytes:
        start = key_share(hello)
        return hello[:start] + b"\xff" * 1184 + hello[start + 1184 :]

    refused(0, unreduced)


def test_a_revoked_and_an_unpinned_identity_are_refused_on_both_sides() -> None:
    without = pqc.TrustStore([ALICE.public, BOB.public])
    without.revoke(ALICE.fingerprint, "lost")
    with pytest.raises(pqc.PeerRefused, match="revoked: lost"):
        carry(client(), server(trust=without))
    without.revoke(BOB.fingerprint, "lost too")
    with pytest.raises(pqc.PeerRefused, match="revoked: lost too"):
        carry(client(trust=without), server())
    stranger = pqc.Identity.create("carol")
    with pytest.raises(pqc.PeerRefused, match="got 'carol'"):
        carry(client(identity=stranger), server())


def test_a_certificate_chain_and_a_foreign_certificate_are_refused() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.x509.oid import NameOID
    from OpenSSL import SSL

    from pqc.certificate import NOT_AFTER, NOT_BEFORE

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    key = Ed25519PrivateKey.generate()
    foreign = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOT_BEFORE, NOT_AFTER).sign(key, None)  # type: ignore[arg-type]
    )
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_certificate(foreign)
    context.use_privatekey(key)
    context.set_verify(SSL.VERIFY_PEER, tls._verify)
    one = client()
    one.session._ssl = SSL.Connection(context, None)
    one.session._ssl.set_app_data(one.session._gate)
    one.session._ssl.set_connect_state()
    with pytest.raises(pqc.PeerRefused, match="expected ML-DSA-65, got Ed25519PublicKey"):
        carry(one, server())
    assert tls._Gate(TRUST, None).admit(None, 1) is False  # type: ignore[arg-type]


def test_a_certificate_that_breaks_the_parser_is_a_refusal() -> None:
    """An exception in OpenSSL's callback would surface in whichever connection comes next."""

    class Broken:
        def to_cryptography(self) -> None:
            raise RuntimeError("duplicate extension")

    gate = tls._Gate(TRUST, None)
    assert gate.admit(Broken(), 0) is False  # type: ignore[arg-type]
    assert str(gate.refusal) == "RuntimeError: duplicate extension"


def opened() -> tuple[tls.Session, tls.Session]:
    one, other = client(), server()
    carry(one, other)
    return one.session, other.session


def records(session: tls.Session, *messages: bytes) -> list[bytes]:
    made = []
    for message in messages:
        session.write(message)
        made.append(session.outgoing())
    return made


def test_records_lost_doubled_reordered_changed_or_reflected_break_the_channel() -> None:
    for order in ((1,), (0, 0), (0, 2), (2,)):
        one, other = opened()
        made = records(one, b"zero", b"one", b"two")
        with pytest.raises(pqc.ChannelCut):
            for place in order:
                other.feed(made[place])
                other.read(100)
    one, other = opened()
    (record,) = records(one, b"message")
    one.feed(record)
    with pytest.raises(pqc.ChannelCut):
        one.read(100)
    for place in range(len(record)):
        one, other = opened()
        (record,) = records(one, b"message")
        other.feed(flip(place)(record))
        try:
            assert (
                other.read(100) == b""
            )  # a longer length in the header: the end of the record is waited for
        except pqc.ChannelCut:
            continue
        assert place in (3, 4)


def test_the_exporter_is_bound_to_label_and_connection() -> None:
    (one, other), (third, _) = opened(), opened()
    assert one.export("a", 32) == other.export("a", 32)
    assert len({one.export("a", 32), one.export("b", 32), third.export("a", 32)}) == 3


def test_a_foreign_protocol_after_the_handshake_is_refused() -> None:
    one, other = client(), server()
    one._preface = b"HTTP/2.0 hi\n"
    with pytest.raises(pqc.PeerRefused, match="protocol: expected b'LWC1' from alice, got b'HTTP'"):
        carry(one, other)
