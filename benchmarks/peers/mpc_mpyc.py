"""MPyC with Shamir's shares between three processes on the loopback: training step, product, comparisons.

One of the three may be corrupt and no dealer is needed: two parties would keep no secret with this scheme.
MPyC counts the bytes that a party sends, and no rounds. Its ports are found free and then let go, so that
another program may take one first: then it cannot be set up, and the page says so.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from worker import bits, serve

PARTIES, THRESHOLD = 3, 1
ROWS, FEATURES, RATE = 64, 30, 0.1
SIDE, ENTRIES = 32, 256
BIT_LENGTH, FRACTION = 32, 16
# MPyC has no exponential: least squares on [-5, 5] of the sigmoid less a half by x, x^3, x^5, within 0.015.
GRID = np.linspace(-5, 5, 1001)
ODD = np.linalg.lstsq(np.stack([GRID, GRID**3, GRID**5], 1), 1 / (1 + np.exp(-GRID)) - 0.5, rcond=None)[0]


@dataclass(frozen=True)
class Answer:
    """What one call took at this party, and its result opened."""

    seconds_s: float
    bytes_sent: int
    opened: Any


def sigmoid(x: Any) -> Any:
    """Of NumPy's or MPyC's arrays, by the polynomial."""
    square = x * x
    return x * (square * (square * ODD[2] + ODD[1]) + ODD[0]) + 0.5


def step(x: Any, y: Any, w: Any) -> Any:
    """The weights (features, 1) after one step."""
    return w - (x.T @ (sigmoid(x @ w) - y)) * (RATE / ROWS)


def data() -> dict[str, list[Any]]:
    """The operands by verb."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(ROWS, FEATURES)), (rng.random((ROWS, 1)) < 0.5).astype(float)
    return {
        "lr_step": [x, y, rng.normal(size=(FEATURES, 1)) / FEATURES],
        "matrix_product": [rng.normal(size=(SIDE, SIDE)), rng.normal(size=(SIDE, SIDE))],
        "comparison": [rng.normal(size=ENTRIES)],
    }


WORK: dict[str, Callable[..., Any]] = {
    "lr_step": step,
    "matrix_product": lambda a, b: a @ b,
    "comparison": lambda a: a > 0,
}


class Party:
    """One of the processes, with its shares of the operands."""

    def __init__(self, rank: int, ports: list[int], others: Sequence[subprocess.Popen[bytes]] = ()) -> None:
        self._others = others  # kept, for their standard inputs close when nothing holds them
        addresses = [f"{'' if i == rank else '127.0.0.1'}:{port}" for i, port in enumerate(ports)]
        sys.argv = [sys.argv[0], "--no-log", f"-T{THRESHOLD}", *(f"-P{address}" for address in addresses)]
        self._mpc: Any = importlib.import_module("mpyc.runtime").mpc
        loop: Any = asyncio.get_event_loop_policy().get_event_loop()
        listen = loop.create_server
        # MPyC would listen on every interface of the machine.
        loop.create_server = lambda *a, **k: listen(*a, **k, host="127.0.0.1")
        self._mpc.run(self._mpc.start())
        number = self._mpc.SecFxp(BIT_LENGTH, FRACTION)
        self._shares = {
            verb: [self._mpc.input(number.array(each, integral=False), senders=0) for each in operands]
            for verb, operands in data().items()
        }

    def sent(self) -> int:
        """Bytes that this party sent so far."""
        return sum(peer.protocol.nbytes_sent for peer in self._mpc.parties if peer.pid != self._mpc.pid)

    def told(self, verb: str | None = None) -> str:
        """What party 0 says that is to be done next."""
        said: str = self._mpc.run(self._mpc.transfer(verb, senders=0))
        return said

    def call(self, verb: str) -> Answer:
        """Do it once, with all the others."""
        return self._mpc.run(self._call(verb))  # type: ignore[no-any-return]

    async def _call(self, verb: str) -> Answer:
        before, began = self.sent(), time.perf_counter()
        result = WORK[verb](*self._shares[verb])
        await self._mpc.gather(result)
        seconds, sent = time.perf_counter() - began, self.sent() - before
        return Answer(seconds, sent, await self._mpc.output(result))


def set_up(case: dict[str, Any]) -> Any:
    """Start the other two, share the operands, and count the bytes of one call of each verb."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(PARTIES)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    command = [sys.executable, __file__, *map(str, ports)]
    # Their standard input ends with this process, and so do they.
    others = [
        subprocess.Popen([*command, str(rank)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for rank in range(1, PARTIES)
    ]
    party = Party(0, ports, others)

    def verb(name: str) -> Callable[[], Answer]:
        def call() -> Answer:
            party.told(name)
            return party.call(name)

        return call

    def check(name: str) -> Callable[[Answer], float | None]:
        operands = data()[name]
        exact = WORK[name](*operands)
        if name == "lr_step":  # with the sigmoid itself
            x, y, w = operands
            exact = w - RATE * (x.T @ (1 / (1 + np.exp(-(x @ w))) - y)) / ROWS
        return lambda answer: bits(np.asarray(answer.opened, dtype=float), exact)

    verbs = {name: verb(name) for name in WORK}
    facts = {
        "parties": f"{PARTIES}, one may be corrupt, traffic in the clear",
        "dealer": "none",
        "sigmoid": "a polynomial of degree 5",
        "by_verb": {name: {"bytes_sent": verbs[name]().bytes_sent} for name in WORK},
    }
    return facts, verbs, {name: check(name) for name in WORK}


def follow(ports: list[int], rank: int) -> None:
    """Do what party 0 says for as long as it lives."""

    def end_with_party_0() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_party_0, daemon=True).start()
    party = Party(rank, ports)
    while True:
        party.call(party.told())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        *given, mine = map(int, sys.argv[1:])
        follow(given, mine)
    else:
        serve(set_up)
