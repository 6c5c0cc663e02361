"""Operations on secret tensors in CrypTen's own interface: the same call on plain CrypTen and on `mpc`.

Each is called on one tensor; its result is opened as words with 16 fractional bits and held against the
function in the clear.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import erf

from benchmarks.crypten_steps import ALL_COURSES, counted, secure_steps

Array = np.ndarray[Any, Any]
Function = Callable[[Array], Array]
UNIT = 2.0**-16


@dataclass(frozen=True)
class Operation:
    """`call` of a secret tensor with the values of `points()`, and the same function in the clear.

    per: how many of its results the cost is divided by, for rows, windows or entries. span: the values in
    words. ours_only: whether CrypTen lacks it.
    """

    points: Callable[[], Array]
    call: Callable[[Any], Any]
    exact: Function
    per: int = 1
    span: str = ""
    ours_only: bool = False


@dataclass(frozen=True)
class Reading:
    """What one call took at one party, bytes sent and received together, and the opened words (int64)."""

    seconds_s: float
    rounds: int
    octets: int
    dealer_bytes: int
    value: Array
    dealer_rounds: int = 0


def softmax(x: Array) -> Array:
    """Along the last axis."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def pooled(x: Array) -> Array:
    """The largest of every 2 x 2 window."""
    rows, channels, height, width = x.shape
    return np.asarray(x.reshape(rows, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5)))


def grid(x: Array) -> Array:
    """Each value moved to the nearest that fixed point holds."""
    return np.asarray(np.round(x / UNIT) * UNIT)


def drawn(*size: int) -> Callable[[], Array]:
    """Normal values on the grid, the same at every call."""
    return lambda: grid(np.random.default_rng(0).normal(size=size) * 3)


def positive() -> Array:
    """All powers of two in range with their neighbours, and a thousand numbers between, log-uniform."""
    powers = 2.0 ** np.arange(-16, 16)
    between = 2.0 ** np.random.default_rng(1).uniform(-16, 16, 1000)
    raw = np.round(np.concatenate([powers, powers - UNIT, powers + UNIT, between]) / UNIT)
    return np.unique(raw[(raw >= 1) & (raw < 2**32)]) * UNIT


def line(low: float, high: float) -> Callable[[], Array]:
    """Two thousand numbers from end to end, and zero with its neighbours."""
    return lambda: grid(np.concatenate([np.linspace(low, high, 2001), [0.0, UNIT, -UNIT]]))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def operations(count: int) -> dict[str, Operation]:
    """Those of the table of costs, on `count` entries, rows or windows at once."""
    single = drawn(count)
    return {
        "sign test, per entry": Operation(single, lambda x: x < 0, lambda x: 1.0 * (x < 0), count),
        "ReLU, per entry": Operation(single, lambda x: x.relu(), lambda x: np.maximum(x, 0), count),
        "sigmoid, per entry": Operation(single, lambda x: x.sigmoid(), _sigmoid, count),
        "softmax of 10, per row": Operation(drawn(count, 10), lambda x: x.softmax(1), softmax, count),
        "max-pool 2x2, per output": Operation(
            drawn(count, 1, 2, 2), lambda x: x.max_pool2d(2), pooled, count
        ),
    }


_WIDE = "2^-16 .. 2^16"
FUNCTIONS = {
    "sigmoid": Operation(line(-40, 40), lambda x: x.sigmoid(), _sigmoid, span="-40 .. 40"),
    "tanh": Operation(line(-40, 40), lambda x: x.tanh(), np.tanh, span="-40 .. 40"),
    "softmax of 10": Operation(
        lambda: drawn(200, 10)() * 2, lambda x: x.softmax(1), softmax, span="normal, deviation 6"
    ),
    "exp": Operation(line(-16, 11), lambda x: x.exp(), np.exp, span="-16 .. 11"),
    "log": Operation(positive, lambda x: x.log(), np.log, span=_WIDE),
    "sqrt": Operation(positive, lambda x: x.sqrt(), np.sqrt, span=_WIDE),
    "inv_sqrt": Operation(positive, lambda x: x.inv_sqrt(), lambda x: x**-0.5, span=_WIDE),
    "reciprocal": Operation(
        lambda: np.concatenate([positive(), -positive()]),
        lambda x: x.reciprocal(),
        lambda x: 1 / x,
        span=f"{_WIDE}, either sign",
    ),
    "GELU": Operation(
        line(-40, 40),
        lambda x: x.gelu(),
        lambda x: x * (1 + erf(x / 2**0.5)) / 2,
        span="-40 .. 40",
        ours_only=True,
    ),
    "SiLU": Operation(
        line(-40, 40), lambda x: x.silu(), lambda x: x * _sigmoid(x), span="-40 .. 40", ours_only=True
    ),
}


def find(name: str, count: int) -> Operation:
    """An operation of the first table, or a function of the second."""
    return (operations(count) | FUNCTIONS)[name]


def in_turn(blocks: Iterable[tuple[str, int]], count: int) -> Callable[[Any], Callable[[], Any]]:
    """For a stage: its steps are those of the blocks, an operation's or course's name and how many steps.

    `prepare(party)`, with None for the party on plain CrypTen. A block begins anew. A step gives a Reading
    for an operation, crypten_steps.Step for a course.
    """
    order = list(blocks)

    def prepare(party: Any) -> Callable[[], Any]:
        def answers() -> Iterator[Any]:
            for name, calls in order:
                work = secure_steps(name) if name in ALL_COURSES else _reader(find(name, count))
                step = work(party)
                for _ in range(calls):
                    yield step()

        return answers().__next__

    return prepare


def _reader(operation: Operation) -> Callable[[Any], Callable[[], Reading]]:
    def prepare(party: Any) -> Callable[[], Reading]:
        crypten = importlib.import_module("crypten")
        x = crypten.cryptensor(torch.from_numpy(operation.points()), src=0)

        def read() -> Reading:
            result, spent = counted(party, lambda: operation.call(x))
            # What has no fractional bits, as bits have not, gets them here.
            value = result.reveal().numpy() * (65536 // int(result.encoder.scale))
            return Reading(**spent, value=value)

        return read

    return prepare
