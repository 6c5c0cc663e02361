"""A service over real sockets: several clients, parallel requests, garbage of every kind, other processes."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import he
import pqc
from he import messages
from he.ckks import frame
from he.link import PIECE_BYTES, Kind, Link
from he.remote import Remote, connect
from he.service import Service

ROWS = np.random.default_rng(3).uniform(-1, 1, (7, 5))
WAIT_S = 60.0


@pytest.fixture(scope="module")
def identities() -> dict[str, pqc.Identity]:
    return {name: pqc.Identity.create(name) for name in ("server", "ann", "ben", "eve")}


@pytest.fixture(scope="module")
def trust(identities: dict[str, pqc.Identity]) -> pqc.TrustStore:
    return pqc.TrustStore([identities[name].public for name in ("server", "ann", "ben")])


@pytest.fixture(scope="module")
def service(mlp: he.Model, identities: dict[str, pqc.Identity], trust: pqc.TrustStore) -> Iterator[Service]:
    with Service(mlp, identities["server"], trust, engine="native", most_samples=200) as service:
        yield service


@pytest.fixture
def ann(service: Service, identities: dict[str, pqc.Identity], trust: pqc.TrustStore) -> Iterator[Remote]:
    with connect(service.address, identities["ann"], trust, peer="server", insecure=True) as remote:
        yield remote


@pytest.fixture
def raw(service: Service, identities: dict[str, pqc.Identity], trust: pqc.TrustStore) -> Iterator[Link]:
    """A client that says what it likes, after the plan came."""
    channel = pqc.connect(service.address, identities["ann"], trust, peer="server")
    with channel:
        link = Link(channel)
        assert link.receive(WAIT_S).drop(1 << 20)
        yield link


def check(remote: Remote, client: he.Client, model: he.Model, rows: Any = ROWS) -> None:
    """Scores come back, and they are right."""
    scores = client.decrypt(remote.predict(client.encrypt(rows), WAIT_S))
    assert np.abs(scores - model.predict_clear(rows)).max() < model.predicted_error(rows)


def expect_error(link: Link, words: str, number: int = 1) -> None:
    answer = link.receive(WAIT_S)
    assert (answer.kind, answer.number) == (Kind.ERROR, number)
    assert words in answer.whole(4096).decode()


def test_two_clients_with_keys_of_their_own_at_the_same_time(
    ann: Remote, service: Service, identities: Any, trust: pqc.TrustStore, mlp: he.Model
) -> None:
    with connect(service.address, identities["ben"], trust, peer="server", insecure=True) as ben:
        clients = [(remote, he.Client(remote.plan, "native")) for remote in (ann, ben)]
        for remote, client in clients:
            assert remote.plan == mlp.plan
            remote.send_keys(client, WAIT_S)
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(check, *clients[i % 2], mlp, ROWS[: 1 + i % 7]) for i in range(16)]
            for job in jobs:
                job.result(WAIT_S)


def test_sizes_are_known_before_keys_are_made(ann: Remote) -> None:
    client = he.Client(ann.plan, "native")
    request = client.encrypt(ROWS)
    assert len(client.evaluation_keys()) == ann.sizes.evaluation_keys_bytes
    assert len(request) == ann.sizes.request_bytes
    assert str(ann.sizes).startswith("evaluation keys 0.")
    ann.send_keys(client, WAIT_S)
    assert len(ann.predict(request, WAIT_S)) == ann.sizes.response_bytes


def test_a_garbage_request_is_answered_and_the_connection_goes_on(ann: Remote, mlp: he.Model) -> None:
    client = he.Client(ann.plan, "native")
    request = client.encrypt(ROWS)
    with pytest.raises(ValueError, match="server refused: a request given before evaluation keys"):
        ann.predict(request, WAIT_S)
    ann.send_keys(client, WAIT_S)
    damaged = bytearray(request)
    damaged[len(request) // 2] ^= 1
    nonsense = frame.seal(frame.Kind.REQUEST, "native", ann.plan.id, b"\1" + bytes(7) + b"\xff" * 64)
    for bad, words in (
        (bytes(damaged), "checksum is"),
        (nonsense, "server refused: part 1 has"),
        (request[:-9], "bytes given, expected"),
        (client.encrypt(np.ones((1000, 5))), "is announced, expected at most"),
    ):
        with pytest.raises(ValueError, match=words):
            ann.predict(bad, WAIT_S)
        check(ann, client, mlp)


def test_garbage_keys_are_answered_and_better_ones_taken(ann: Remote, raw: Link, mlp: he.Model) -> None:
    client = he.Client(ann.plan, "native")
    keys = client.evaluation_keys()
    flipped = bytearray(keys)
    flipped[len(keys) // 2] ^= 1
    for bad, words in (
        (b"x" * 100, "magic is"),
        (b"x", "a message of 1 bytes given, expected 37 more"),
        (bytes(flipped), "expected"),
        (keys + b"more", "4 bytes follow the evaluation keys"),
        (keys[:-1], "expected 1 more"),
    ):
        raw.send(Kind.KEYS, 1, bad)
        expect_error(raw, words)
    raw.send(Kind.KEYS, 2, keys)
    assert raw.receive(WAIT_S).kind == Kind.READY
    raw.send(Kind.REQUEST, 3, client.encrypt(ROWS))
    response = raw.receive(WAIT_S)
    assert response.kind == Kind.RESPONSE
    assert client.decrypt(response.whole(1 << 24)).shape == (7, 3)


def test_other_messages_are_answered(raw: Link) -> None:
    raw.send(Kind.PLAN, 1, b"plan")
    expect_error(raw, "a message PLAN given, expected KEYS or REQUEST")
    raw.send(Kind.REQUEST, 1, b"")
    expect_error(raw, "a request given before evaluation keys")


@pytest.mark.parametrize(
    ("header", "words"),
    [(b"short", "a header of 5 bytes"), (b"\x09" + bytes(16), "a message of kind 9"), (bytes(17), "kind 0")],
)
def test_what_is_no_message_ends_its_own_connection_only(
    header: bytes, words: str, raw: Link, ann: Remote, mlp: he.Model
) -> None:
    raw._channel.send(header)
    expect_error(raw, words, number=0)
    with pytest.raises(pqc.ChannelError):
        raw.receive(WAIT_S)
    client = he.Client(ann.plan, "native")
    ann.send_keys(client, WAIT_S)
    check(ann, client, mlp)


def test_an_endless_message_is_not_taken_in(raw: Link) -> None:
    raw._channel.send(b"\x04" + (1).to_bytes(8, "little") + (1 << 60).to_bytes(8, "little"))
    expect_error(raw, "a request given before evaluation keys")
    with pytest.raises(pqc.ChannelError):
        raw.receive(WAIT_S)


def test_a_piece_beyond_its_message_ends_the_connection(raw: Link) -> None:
    raw._channel.send(b"\x02" + (1).to_bytes(8, "little") + (100).to_bytes(8, "little"))
    raw._channel.send(bytes(101))
    expect_error(raw, "a piece of 101 bytes given, expected 1 to 100")
    with pytest.raises(pqc.ChannelError):
        raw.receive(WAIT_S)


def test_clients_beyond_the_bound_are_turned_away(
    mlp: he.Model, identities: Any, trust: pqc.TrustStore
) -> None:
    with (
        Service(mlp, identities["server"], trust, most_clients=1) as service,
        connect(service.address, identities["ann"], trust, peer="server", insecure=True),
        pytest.raises(ValueError, match="server refused: too many clients"),
    ):
        connect(service.address, identities["ben"], trust, peer="server", insecure=True)
    with pytest.raises(ValueError, match="most_samples is 0, expected at least 1"):
        Service(mlp, identities["server"], trust, most_samples=0)


def test_an_unknown_identity_is_refused_by_the_channel(service: Service, identities: Any, trust: Any) -> None:
    with pytest.raises(pqc.ChannelError):
        connect(service.address, identities["eve"], trust, peer="server", insecure=True)


def test_closing_ends_clients_and_waiting_calls(mlp: he.Model, identities: Any, trust: Any) -> None:
    service = Service(mlp, identities["server"], trust)
    remote = connect(service.address, identities["ann"], trust, peer="server", insecure=True)
    closer = threading.Timer(0.1, service.close)
    closer.start()
    assert service.wait(WAIT_S)
    closer.join()
    with pytest.raises(pqc.ChannelError):
        remote.send_keys(he.Client(remote.plan, "native"), WAIT_S)
    service.close()


def test_insecure_plans_are_refused_unless_asked_for(service: Service, identities: Any, trust: Any) -> None:
    with pytest.raises(ValueError, match="the parameters given are insecure"):
        connect(service.address, identities["ann"], trust, peer="server")


PROCESS = """
import sys
from pathlib import Path
import he, pqc
from he.service import Service

folder = Path(sys.argv[1])
trust = pqc.TrustStore()
for pin in (folder / "pins").read_text().splitlines():
    trust.pin(*pin.split())
identity = pqc.Identity.load(folder / "identity", passphrase="a test")
with Service(he.Model.load(folder / "model", insecure=True), identity, trust, engine="native") as service:
    print(service.address[1], flush=True)
    sys.stdin.read()
"""


def test_a_server_in_another_process_survives_a_client_that_is_cut(
    mlp: he.Model, identities: dict[str, pqc.Identity], trust: pqc.TrustStore, tmp_path: Path
) -> None:
    mlp.save(tmp_path / "model")
    identities["server"].save(tmp_path / "identity", passphrase="a test")
    pins = [f"{name} {identities[name].fingerprint}" for name in ("ann", "ben")]
    (tmp_path / "pins").write_text("\n".join(pins))
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        address = ("127.0.0.1", int(process.stdout.readline()))
        rude = pqc.connect(address, identities["ben"], trust, peer="server")
        rude.send(b"\x02" + (1).to_bytes(8, "little") + (1000).to_bytes(8, "little"))
        rude._wire.close()  # without a word, in the middle of a message
        with connect(address, identities["ann"], trust, peer="server", insecure=True) as remote:
            client = he.Client(remote.plan, "native")
            remote.send_keys(client, WAIT_S)
            check(remote, client, mlp)
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


def test_bounds_count_every_ciphertext(mlp: he.Model) -> None:
    engine = he.engines.choose.choose("native")
    client = he.Client(mlp.plan, "native")
    for count in (1, mlp.plan.samples, mlp.plan.samples + 1):
        request = client.encrypt(np.ones((count, 5)))
        assert len(request) <= messages.largest_bytes(frame.Kind.REQUEST, mlp.plan, engine, count)
        assert messages.samples_in(request) == count
    with pytest.raises(ValueError, match="3 bytes given, expected at least"):
        messages.samples_in(b"abc")
    assert PIECE_BYTES == 1 << 20
