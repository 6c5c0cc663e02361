"""A client whose service misbehaves: every lie ends the connection with an error, and nothing hangs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import he
import pqc
from he.link import Kind, Link
from he.remote import Remote, connect

WAIT_S = 30.0


@pytest.fixture
def served(mlp: he.Model) -> Iterator[Callable[[Callable[[Link], Any]], Remote]]:
    """`served(script)` connects to a service that sends the plan and then does what the script says."""
    ann, server = pqc.Identity.create("ann"), pqc.Identity.create("server")
    trust = pqc.TrustStore([ann.public, server.public])
    remotes: list[Remote] = []
    with pqc.Listener(server, trust) as listener:

        def start(script: Callable[[Link], Any], hello: Kind = Kind.PLAN) -> Remote:
            def play() -> None:
                with suppress(pqc.ChannelError), listener.accept(timeout_s=WAIT_S) as channel:
                    link = Link(channel)
                    link.send(hello, 0, mlp.plan.to_bytes())
                    script(link)

            threading.Thread(target=play, daemon=True).start()
            remotes.append(connect(listener.address, ann, trust, peer="server", insecure=True))
            return remotes[-1]

        yield start
        for remote in remotes:
            remote.close()


def answer(kind: Kind, number: int, data: bytes) -> Callable[[Link], None]:
    """Take one message and answer so."""

    def script(link: Link) -> None:
        link.receive(WAIT_S).drop(1 << 30)
        link.send(kind, number, data)
        link.receive(WAIT_S)  # until the client leaves

    return script


def test_lies_of_a_service_are_errors(served: Any, mlp: he.Model) -> None:
    client = he.Client(mlp.plan, "native")
    request = client.encrypt([[0.0] * 5])
    for script, error, words in (
        (
            answer(Kind.RESPONSE, 1, bytes(10**6)),
            ValueError,
            "a message of 1000000 bytes is announced, expected",
        ),
        (answer(Kind.RESPONSE, 2, b""), ValueError, "an answer to message 2 given"),
        (answer(Kind.REQUEST, 1, b""), ValueError, "a message REQUEST given, expected an answer"),
        (answer(Kind.ERROR, 0, b"no more"), ValueError, "server refused: no more"),
        (answer(Kind.ERROR, 1, b"\xff odd"), ValueError, "server refused: . odd"),
        (lambda link: link.close(), pqc.ChannelError, "server closed|lost|connection"),
    ):
        remote = served(script)
        with pytest.raises(error, match=words):
            remote.predict(request, WAIT_S)


def test_no_answer_in_time_and_a_connection_that_has_ended(served: Any, mlp: he.Model) -> None:
    remote = served(lambda link: [link.receive(WAIT_S).drop(1 << 30), link.receive(WAIT_S)])
    request = he.Client(mlp.plan, "native").encrypt([[0.0] * 5])
    with pytest.raises(TimeoutError):
        remote.predict(request, 0.05)
    remote.close()
    with pytest.raises(pqc.ChannelError):
        remote.predict(request, WAIT_S)


def test_a_greeting_that_is_no_plan(served: Any) -> None:
    with pytest.raises(ValueError, match="a message READY given, expected PLAN"):
        served(lambda link: None, Kind.READY)
    with pytest.raises(ValueError, match="server refused"):
        served(lambda link: None, Kind.ERROR)
