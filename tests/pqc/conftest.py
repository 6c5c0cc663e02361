"""What the tests of `pqc` share: identities made once, pairs of open channels, the published vectors."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pqc
from pqc.age import passphrase
from pqc.channel import Channel

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"

Pair = Callable[..., tuple[Channel, Channel]]


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of published test vectors; what needs it is skipped where it is absent."""
    if not VECTORS.is_dir():
        pytest.skip(f"the published test vectors are not at {VECTORS}")
    return VECTORS


@pytest.fixture(autouse=True)
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of a second a passphrase is right in use and too long here; one test pays the real cost."""
    monkeypatch.setattr(passphrase, "WORK_LOG2", 10)


@pytest.fixture(scope="session")
def alice() -> pqc.Identity:
    return pqc.Identity.create("alice")


@pytest.fixture(scope="session")
def bob() -> pqc.Identity:
    return pqc.Identity.create("bob")


@pytest.fixture(scope="session")
def mallory() -> pqc.Identity:
    return pqc.Identity.create("mallory")


@pytest.fixture
def trust(alice: pqc.Identity, bob: pqc.Identity) -> pqc.TrustStore:
    return pqc.TrustStore([alice.public, bob.public])


@pytest.fixture
def pair(alice: pqc.Identity, bob: pqc.Identity, trust: pqc.TrustStore) -> Iterator[Pair]:
    """Opens channels: `client, server = pair(max_message_bytes=...)`."""
    opened: list[Channel] = []

    def open_pair(**limits: int) -> tuple[Channel, Channel]:
        with pqc.Listener(bob, trust, **limits) as listener:
            accepted: list[Channel] = []
            thread = threading.Thread(target=lambda: accepted.append(listener.accept(timeout_s=10)))
            thread.start()
            client = pqc.connect(listener.address, alice, trust, peer="bob", **limits)
            thread.join()
        opened.extend((client, accepted[0]))
        return client, accepted[0]

    yield open_pair
    for channel in opened:
        channel.close()
