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
Prepare = Callable[[mpc.Party], Callable[[], Any]]


class Stage:
    """Parties that each prepared a step: `stage()` runs it once everywhere and gives their answers.

    `prepare(party)` runs once in each process and returns the step, whose answer must be picklable. Use as a
    context manager; leaving it ends the processes. The control messages cost about 0.1 ms a step.
    """

    def __init__(self, prepare: Prepare, parties: int) -> None:
        key = secrets.token_bytes(32)
        self._listener = Listener(("127.0.0.1", 0), authkey=key)
        control = (self._listener.address, key)
        self._thread = threading.Thread(target=self._run, args=(prepare, parties, control))
        self._thread.start()
        self._connections = [self._listener.accept() for _ in range(parties)]

    def __call__(self) -> list[Any]:
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

    def _run(self, prepare: Prepare, parties: int, control: tuple[Address, bytes]) -> None:
        mpc.run_local(_wait_for_steps, parties, inputs=[(prepare, control)] * parties, timeout_s=3600)


def _wait_for_steps(party: mpc.Party, work: tuple[Prepare, tuple[Address, bytes]]) -> None:
    prepare, (address, key) = work
    step = prepare(party)
    connection: Connection = Client(address, authkey=key)
    while connection.recv_bytes() == b"step":
        connection.send_bytes(cloudpickle.dumps(step()))
