"""Handshakes, round trips and bulk over channels, each beside bare TLS in the same run.

The two sides of a comparison take turns, and results are checked before anything is timed.
"""

import os
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from OpenSSL import SSL

import pqc
from benchmarks import pqc_peers
from benchmarks.turns import ratio, repeat
from pqc.handshake import Initiator, Responder

MIB = 1 << 20


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> pqc_peers.Parties:
    return pqc_peers.make_parties(tmp_path_factory.mktemp("parties"))


@pytest.fixture(scope="module")
def channel(parties: pqc_peers.Parties) -> Iterator[Any]:
    with pqc_peers.served(parties, bare=False) as client:
        yield client


@pytest.fixture(scope="module")
def bare(parties: pqc_peers.Parties) -> Iterator[Any]:
    with pqc_peers.served(parties, bare=True) as client:
        yield client


@pytest.mark.sizes("turns", tiny=[1], small=[31])
def test_connecting_beside_bare_tls(benchmark: Any, parties: pqc_peers.Parties, turns: int) -> None:
    """Processor time of both sides, TCP included; each connection is closed again."""
    client = pqc_peers.bare_context(parties.client, parties.server.public.ml_dsa_key)
    server = pqc_peers.bare_context(parties.server, parties.client.public.ml_dsa_key)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        pqc.Listener(parties.server, parties.trust) as listener,
    ):

        def bare() -> None:
            ends: list[SSL.Connection] = []

            def dial() -> None:
                connected = socket.create_connection(listening.getsockname())
                ends.append(pqc_peers.bare_handshake(connected, client, server=False))

            def accept() -> None:
                ends.append(pqc_peers.bare_handshake(listening.accept()[0], server, server=True))

            pqc_peers.both_sides(dial, accept)
            assert ends[0].get_group_name() == "X25519MLKEM768"
            for end in ends:
                end.close()

        def ours() -> None:
            ends: list[Any] = []
            dial = partial(pqc.connect, listener.address, parties.client, parties.trust, peer="server")
            pqc_peers.both_sides(
                lambda: ends.append(dial()), lambda: ends.append(listener.accept(timeout_s=10))
            )
            for end in ends:
                end.close()

        measured = ratio(repeat(ours, 5), repeat(bare, 5), turns, time.process_time)
        benchmark.extra_info["cpu_ratio_to_bare_tls"] = round(measured, 3)
        benchmark.pedantic(ours, rounds=30, warmup_rounds=2)


def test_handshake_without_sockets(benchmark: Any, parties: pqc_peers.Parties) -> None:
    def shake() -> tuple[Initiator, Responder, int]:
        initiator = Initiator(parties.client, parties.trust, peer="server")
        responder = Responder(parties.server, parties.trust)
        one = initiator.start()
        two = responder.read(one)
        assert two is not None
        three = initiator.read(two)
        responder.read(three)
        return initiator, responder, len(one) + len(two) + len(three)

    initiator, responder, size = shake()
    assert initiator.session.export("x", 32) == responder.session.export("x", 32)
    benchmark.extra_info["bytes"] = size
    benchmark(shake)


def test_a_round_trip_of_100_bytes_beside_bare_tls(benchmark: Any, channel: Any, bare: Any) -> None:
    message = bytes(range(100))

    def ours() -> bytes:
        channel.send(message)
        return bytes(channel.receive())

    def theirs() -> bytes:
        bare.send(message)
        return bytes(bare.receive())

    assert ours() == theirs() == message
    measured = ratio(repeat(ours, 200), repeat(theirs, 200), 31 if benchmark.enabled else 1)
    benchmark.extra_info["ratio_to_bare_tls"] = round(measured, 3)
    benchmark(ours)


@pytest.mark.sizes("mib", tiny=[1], small=[64])
def test_bulk_beside_bare_tls(benchmark: Any, channel: Any, bare: Any, mib: int) -> None:
    message = os.urandom(mib * MIB)

    def ours() -> int:
        """Send one message; the receiver's processor time so far, in nanoseconds."""
        channel.send(message)
        taken, cpu_ns = pqc_peers.RECEIPT.unpack(channel.receive(timeout_s=60))
        assert taken == len(message)
        return int(cpu_ns)

    def theirs() -> None:
        bare.send(message)
        taken, _ = pqc_peers.RECEIPT.unpack(bare.receive())
        assert taken == len(message)

    ours()
    theirs()
    measured = 1 / ratio(ours, theirs, 9 if benchmark.enabled else 1)
    receiver_ns = ours()
    started, sender_ns = time.perf_counter_ns(), time.process_time_ns()
    benchmark.pedantic(ours, rounds=7)
    took_ns, sender_ns = time.perf_counter_ns() - started, time.process_time_ns() - sender_ns
    sent_bytes = 7 * len(message)
    receiver_ns, sent_to_receiver = ours() - receiver_ns, sent_bytes + len(message)
    benchmark.extra_info.update(
        throughput_of_bare_tls=round(measured, 3),
        gigabytes_per_second=round(sent_bytes / took_ns, 2),
        sender_gigabytes_per_core_second=round(sent_bytes / sender_ns, 2),
        receiver_gigabytes_per_core_second=round(sent_to_receiver / receiver_ns, 2),
    )


@pytest.mark.sizes("mib", tiny=[1], small=[64])
def test_what_one_core_encrypts_and_decrypts(benchmark: Any, parties: pqc_peers.Parties, mib: int) -> None:
    """The channel's own work without the kernel's: TLS records made, read, and messages taken out of them."""
    from pqc import framing, tls

    client = tls.Session(tls.context(parties.client), parties.trust, server=False, expected="server")
    server = tls.Session(tls.context(parties.server), parties.trust, server=True)
    done = False
    while not done:
        done = client.handshake()
        server.feed(client.outgoing() or b"")
        server.handshake()
        if answer := server.outgoing():
            client.feed(answer)
    message, target = os.urandom(mib * MIB), memoryview(bytearray(mib * MIB))
    inbox = framing.Inbox(server, 1 << 30)
    spent = {"send": 0.0, "receive": 0.0}

    def through() -> None:
        for pieces in framing.frame(message):
            started = time.process_time()
            for piece in pieces:
                client.write(piece)
            wire = client.outgoing()
            sealed = time.process_time()
            server.feed(wire)
            taken = inbox.message_into(target)
            spent["send"] += sealed - started
            spent["receive"] += time.process_time() - sealed
        assert taken == len(message)

    through()
    assert target == message
    spent.update(send=0.0, receive=0.0)
    benchmark.pedantic(through, rounds=5)
    speeds = {name: 5 * len(message) / seconds / 1e9 for name, seconds in spent.items()}
    benchmark.extra_info.update(
        {f"{name}_gigabytes_per_core_second": round(speed, 2) for name, speed in speeds.items()}
    )
