"""Keys, handshakes, channels and envelopes, each beside what it stands on, in one run.

The two sides of a comparison take turns; the ratio of their fastest rounds is checked against the project's
limit. Results are checked before anything is timed. `make bench` runs this; ids tell the full parameters.
"""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

import pqc
from benchmarks import pqc_peers
from pqc import envelope, kem, sign
from pqc.algorithm import Backend
from pqc.handshake import Initiator, Responder
from pqc.hybrid import XWingPrivateKey

MIB = 1 << 20
ROOT = Path(__file__).parents[1]
Work = Callable[[], object]


def ratio(ours: Work, bare: Work, rounds: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Our fastest round divided by the other's; the two take turns, and other programs can only add time."""
    fastest = [float("inf"), float("inf")]
    for _ in range(rounds):
        for side, work in enumerate((ours, bare)):
            started = clock()
            work()
            fastest[side] = min(fastest[side], clock() - started)
    return fastest[0] / fastest[1]


def repeat(work: Work, times: int) -> Work:
    """Many runs as one, for what is short beside the clock."""

    def many() -> None:
        for _ in range(times):
            work()

    return many


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


KEMS: list[tuple[str, Backend]] = [
    (card.name, card.backend) for card in kem.algorithms() if "ML-KEM" in card.name
]


@pytest.mark.parametrize("operation", ["generate", "encapsulate", "decapsulate"])
@pytest.mark.parametrize(("name", "backend"), KEMS)
def test_kem(benchmark: Any, name: str, backend: Backend, operation: str) -> None:
    algorithm = kem.algorithm(name, backend)
    private = algorithm.generate()
    ciphertext, secret = private.public.encapsulate()
    assert private.decapsulate(ciphertext) == secret
    work: dict[str, Work] = {
        "generate": algorithm.generate,
        "encapsulate": private.public.encapsulate,
        "decapsulate": lambda: private.decapsulate(ciphertext),
    }
    benchmark(work[operation])
    benchmark.extra_info["ciphertext_bytes"] = algorithm.card.output_bytes


@pytest.mark.parametrize("operation", ["encapsulate", "decapsulate"])
def test_kem_beside_its_backend(benchmark: Any, operation: str) -> None:
    theirs = mlkem.MLKEM768PrivateKey.generate()
    public = theirs.public_key()
    ours = kem.algorithm("ML-KEM-768").private_key(theirs.private_bytes_raw())
    secret, ciphertext = public.encapsulate()
    assert ours.decapsulate(ciphertext) == secret
    pairs: dict[str, tuple[Work, Work]] = {
        "encapsulate": (ours.public.encapsulate, public.encapsulate),
        "decapsulate": (lambda: ours.decapsulate(ciphertext), lambda: theirs.decapsulate(ciphertext)),
    }
    mine, backends = pairs[operation]
    measured = ratio(repeat(mine, 200), repeat(backends, 200), 51)
    benchmark.extra_info["ratio_to_backend"] = round(measured, 3)
    benchmark(mine)


@pytest.mark.parametrize("operation", ["generate", "encapsulate", "decapsulate"])
def test_x_wing(benchmark: Any, operation: str) -> None:
    private = XWingPrivateKey.generate()
    ciphertext, secret = private.public.encapsulate()
    assert private.decapsulate(ciphertext) == secret
    work: dict[str, Work] = {
        "generate": XWingPrivateKey.generate,
        "encapsulate": private.public.encapsulate,
        "decapsulate": lambda: private.decapsulate(ciphertext),
    }
    benchmark(work[operation])


@pytest.mark.parametrize("operation", ["sign", "verify"])
@pytest.mark.parametrize("name", ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
def test_signature(benchmark: Any, name: str, operation: str) -> None:
    private = sign.algorithm(name).generate()
    signature = private.sign(b"message")
    private.public.verify(signature, b"message")
    work: dict[str, Work] = {
        "sign": lambda: private.sign(b"message"),
        "verify": lambda: private.public.verify(signature, b"message"),
    }
    benchmark(work[operation])
    benchmark.extra_info["signature_bytes"] = len(signature)


def test_connecting_beside_bare_tls(benchmark: Any, parties: pqc_peers.Parties) -> None:
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

        measured = ratio(repeat(ours, 5), repeat(bare, 5), 31, time.process_time)
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
    measured = ratio(repeat(ours, 200), repeat(theirs, 200), 31)
    benchmark.extra_info["ratio_to_bare_tls"] = round(measured, 3)
    benchmark(ours)


def test_64_mib_beside_bare_tls(benchmark: Any, channel: Any, bare: Any) -> None:
    message = os.urandom(64 * MIB)

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
    measured = 1 / ratio(ours, theirs, 9)
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


def test_what_one_core_encrypts_and_decrypts(benchmark: Any, parties: pqc_peers.Parties) -> None:
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
    message, target = os.urandom(64 * MIB), memoryview(bytearray(64 * MIB))
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


ENVELOPE_PROGRAM = """
import time
from pqc import envelope

class Zeros:
    def __init__(self, size): self.left = size
    def read(self, size):
        size = min(size, self.left); self.left -= size
        return BLOCK[:size]

class Nowhere:
    taken = 0
    def write(self, data): self.taken += len(data)

BLOCK, key = bytes(65536), envelope.AgeKey.generate()
sink = Nowhere()
started = time.perf_counter()
envelope.seal_stream(Zeros(1 << 30), sink, [key.recipient])
seconds = time.perf_counter() - started
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(seconds, sink.taken, peak)
"""


def test_sealing_1_gib_beside_one_shot_aes_gcm(benchmark: Any) -> None:
    """In a process of its own, so that its memory is its own; the one-shot call needs 2 GiB beside that.

    The one-shot call is `AESGCM.encrypt`, and beside it `encrypt_into` memory that was already touched.
    """

    def seal() -> tuple[float, int, int]:
        command = [sys.executable, "-c", ENVELOPE_PROGRAM]
        result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        seconds, sealed_bytes, peak_kib = result.stdout.split()
        return float(seconds), int(sealed_bytes), int(peak_kib)

    content, cipher = bytes(1 << 30), AESGCM(bytes(32))
    touched = bytearray(len(content) + 16)
    cipher.encrypt_into(bytes(12), content, None, touched)

    def took_s(work: Work) -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    one_shot_s = min(took_s(lambda: cipher.encrypt(bytes(12), content, None)) for _ in range(3))
    into_s = min(took_s(lambda: cipher.encrypt_into(bytes(12), content, None, touched)) for _ in range(3))
    seconds, sealed_bytes, peak_kib = min(seal() for _ in range(3))
    assert sealed_bytes > 1 << 30
    benchmark.extra_info.update(
        speed_of_one_shot_aes_gcm=round(one_shot_s / seconds, 3),
        speed_of_one_shot_into_touched_memory=round(into_s / seconds, 3),
        gigabytes_per_second=round((1 << 30) / seconds / 1e9, 2),
        peak_mib=peak_kib // 1024,
    )
    benchmark.pedantic(seal, rounds=1)
    assert peak_kib < 64 * 1024


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("operation", ["seal", "open"])
def test_envelope_of_16_mib(benchmark: Any, parties: pqc_peers.Parties, operation: str, signed: bool) -> None:
    key, plain = envelope.AgeKey.generate(), os.urandom(16 * MIB)
    signer, trust = (parties.client, parties.trust) if signed else (None, None)
    sealed = envelope.seal_bytes(plain, [key.recipient], signer=signer)
    assert envelope.open_bytes(sealed, [key], trust=trust).content == plain
    work: dict[str, Work] = {
        "seal": lambda: envelope.seal_bytes(plain, [key.recipient], signer=signer),
        "open": lambda: envelope.open_bytes(sealed, [key], trust=trust),
    }
    benchmark(work[operation])


def test_import(benchmark: Any) -> None:
    """Processor time of a fresh interpreter less an empty one: the import, then also every public name."""

    def cpu_s(program: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    empty = min(cpu_s("pass") for _ in range(5))
    benchmark.pedantic(cpu_s, args=("import pqc",), rounds=5)
    imported = min(cpu_s("import pqc") for _ in range(5)) - empty
    whole = min(cpu_s("import pqc; [getattr(pqc, name) for name in pqc.__all__]") for _ in range(5)) - empty
    benchmark.extra_info.update(import_s=round(imported, 3), every_name_s=round(whole, 3))
