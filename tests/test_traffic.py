"""What really went over the wire in training and in inference: no value, no share, no key in the clear."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import mpc
from mpc.processes import Meeting, Task, run_processes

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "examples")]

import search_capture  # noqa: E402
import two_hospitals  # noqa: E402
from recording import RecordingProxy, put_listeners_behind_proxies  # noqa: E402

ROWS = 40


def recorded(meeting: Meeting, function: Any, *arguments: Any) -> tuple[Any, bytes]:
    """Run one process's work with its listeners behind proxies; the result and all bytes that came by."""
    proxies: list[RecordingProxy] = []
    put_listeners_behind_proxies(proxies)
    result = function(meeting, *arguments)
    time.sleep(0.5)  # the proxies' threads take in what is left in the sockets
    return result, b"".join(proxy.recording() for proxy in proxies)


def share_and_train(party: mpc.Party) -> np.ndarray[Any, Any]:
    """A few steps of the demo's training; this party's shares of the table."""
    table, labels, _, _ = two_hospitals.patients()
    own = two_hospitals.COLUMNS[party.name]
    x = mpc.join_columns(party, table[:ROWS, own] / 64, dict.fromkeys(two_hospitals.COLUMNS, 15), ROWS)
    y = party.secret(labels[:ROWS] if party.rank == 1 else None, owner=1, size=(ROWS, 1))
    mpc.LogisticRegression(steps=2).fit(x, y)
    return np.asarray(x.share)


def run_party(meeting: Meeting, name: str) -> Any:
    from mpc import party

    return party._run_party(meeting, share_and_train, name, (), 2, 60.0)


def run_dealer(meeting: Meeting) -> None:
    from mpc import party

    party.run_dealer(meeting, 2, 60.0)


def test_nothing_of_the_training_travels_in_the_clear() -> None:
    tasks = [Task(name, recorded, (run_party, name)) for name in two_hospitals.COLUMNS]
    tasks.append(Task("dealer", recorded, (run_dealer,)))
    results = run_processes(tasks, timeout_s=120)
    traffic = b"".join(recording for _, recording in results)
    # Parties and dealer: the openings and corrections of two steps are well over this.
    assert len(traffic) > 100_000
    table = two_hospitals.patients()[0][:ROWS]
    shares = {word.tobytes() for share, _ in results[:2] for word in share.reshape(-1)}
    assert len(shares) == 2 * ROWS * 30
    wanted = search_capture.needles(table) | search_capture.needles(table / 64) | shares
    assert search_capture.search(traffic, wanted) == []


def test_nothing_of_the_inference_travels_in_the_clear() -> None:
    weights, bias = np.linspace(-1, 1, 30).reshape(1, 30), np.array([0.5])
    tasks = [
        Task("server", recorded, (two_hospitals.server, weights, bias)),
        Task("clinic", recorded, (two_hospitals.clinic,)),
    ]
    (_, traffic), (served, _) = run_processes(tasks, timeout_s=120)
    assert len(traffic) > 100_000
    patients = two_hospitals.patients()[2]
    wanted = search_capture.needles(patients) | search_capture.needles(weights)
    assert search_capture.search(traffic, wanted | {score.tobytes() for score in served.scores}) == []
    # The messages have formats of their own inside the channel; their marks must not show either.
    assert b"latticework" not in traffic.lower()


def test_the_search_finds_what_does_travel_in_the_clear() -> None:
    """The same proxy and the same search on a plain socket: every patient is found."""
    table = two_hospitals.patients()[2][:3]
    sink = socket.create_server(("127.0.0.1", 0))
    proxy = RecordingProxy(sink.getsockname()[:2])
    with socket.create_connection(proxy.address) as plain:
        accepted = sink.accept()[0]
        plain.sendall(b"xyz" + table.tobytes() + repr(table.tolist()).encode())
    while accepted.recv(1 << 16):
        pass
    accepted.close()
    time.sleep(0.5)
    found = search_capture.search(proxy.recording(), search_capture.needles(table))
    assert {value.tobytes() for value in table.reshape(-1) if value} <= set(found)
    sink.close()
