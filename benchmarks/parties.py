"""Keep parties of a computation waiting in their processes, so that one step can be timed at a time."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

import cloudpickle

import mpc

Address = tuple[str, int]
Control = tuple[Address, bytes]
Prepare = Callable[[Any], Callable[[], Any]]


class Stage:
    """Parties that each prepared a step: `stage()` runs it once everywhere and gives their answers by rank.

    `prepare(party)` runs once in each process and returns the step, whose answer must be picklable. Use as a
    context manager; leaving it ends the processes. The control messages cost about 0.1 ms a step.
    `run(prepare, parties, control)` starts the processes, each of which calls `take_steps`.
    """

    def __init__(
        self,
        prepare: Prepare,
        parties: int,
        run: Callable[[Prepare, int, Control], None] | None = None,
    ) -> None:
        key = secrets.token_bytes(32)
        self._listener = Listener(("127.0.0.1", 0), authkey=key)
        control = (self._listener.address, key)
        self._thread = threading.Thread(target=run or run_parties, args=(prepare, parties, control))
        self._thread.start()
        connections = [self._listener.accept() for _ in range(parties)]
        ranked = {cloudpickle.loads(connection.recv_bytes()): connection for connection in connections}
        self._connections = [ranked[rank] for rank in range(parties)]

    def __call__(self) -> list[Any]:
        """Run the step once at every party; what it returned there, by rank."""
        for connection in self._connections:
            connection.send_bytes(b"step")
        return [cloudpickle.loads(connection.recv_bytes()) for connection in self._connections]

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.send_bytes(b"end")
        self._thread.join()
        self._listener.close()


def run_parties(prepare: Prepare, parties: int, control: Control, comparison: str = "tree") -> None:
    """Local parties, which compare as said (mpc.choice)."""
    inputs = [(prepare, control)] * parties
    mpc.run_local(_wait_for_steps, parties, inputs=inputs, timeout_s=3600, comparison=comparison)


def _wait_for_steps(party: mpc.Party, work: tuple[Prepare, Control]) -> None:
    prepare, control = work
    take_steps(prepare(party), party.rank, control)


def take_steps(step: Callable[[], Any], rank: int, control: Control) -> None:
    """Run the step whenever the stage asks for it, until it ends."""
    address, key = control
    connection: Connection = Client(address, authkey=key)
    connection.send_bytes(cloudpickle.dumps(rank))
    while connection.recv_bytes() == b"step":
        connection.send_bytes(cloudpickle.dumps(step()))
