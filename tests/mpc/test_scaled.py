"""Reciprocal, roots, logarithm and exponential: units over the whole range, rounds and bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mpc
from mpc.protocols import mantissas
from mpc.protocols.harmonics import Series, harmonics

UNIT = 2.0**-16
FRAME = 8
# Every power of two and its neighbours, and numbers all over the range in proportion.
POWERS = 2.0 ** np.arange(-16, 16)
_DRAWN = 2.0 ** np.random.default_rng(1).uniform(-16, 16, 1000)
POSITIVE = np.concatenate([POWERS, POWERS[1:] - UNIT, POWERS + UNIT, [2.0**16 - UNIT], _DRAWN])
POSITIVE = np.maximum(np.round(POSITIVE / UNIT), 1) * UNIT
POSITIVE = POSITIVE[POSITIVE < 2.0**16]
SIGNED = np.concatenate([POSITIVE[::4], -POSITIVE[::4]])
EXPONENTS = np.concatenate(
    [np.linspace(-16, 11, 1200), np.arange(-5, 4) * np.log(16), [0.0, UNIT, -UNIT, -30_000]]
)
EXPONENTS = np.round(EXPONENTS / UNIT) * UNIT


def counted(party: mpc.Party, work: Any) -> tuple[Any, int, int]:
    before = party.cost()
    result = work()
    cost = party.cost() - before
    # As words: an opened float has 24 bits.
    return result.reveal(), cost.rounds, cost.bytes_sent


def compute(party: mpc.Party) -> dict[str, tuple[Any, int, int]]:
    from mpc.engine import crypten

    def share(value: Any) -> Any:
        return party.secret(torch.from_numpy(value) if party.rank == 0 else None, owner=0, size=value.shape)

    x, signed, exponents = share(POSITIVE), share(SIGNED), share(EXPONENTS)
    outcome = {
        "inv_sqrt": counted(party, x.inv_sqrt),
        "sqrt": counted(party, x.sqrt),
        "log": counted(party, x.log),
        "exp": counted(party, exponents.exp),
        "either sign": counted(party, signed.reciprocal),
        "share": counted(party, lambda: x[:40].log(input_in_01=True)),
        "nothing": counted(party, lambda: x[:0].log()),
        "log of zero": counted(party, lambda: (x - x).log()),
        "log of less": counted(party, lambda: (-x).log()),
    }
    with crypten.cfg.temp_override({"functions.reciprocal_all_pos": True}):
        outcome["reciprocal"] = counted(party, x.reciprocal)
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, tuple[Any, int, int]]]:
    return request.param, mpc.run_local(compute, request.param)[0]


# Units, and how much of the value itself: y has 19 bits behind the point, where x is above 8.
BOUNDS = {
    "reciprocal": (POSITIVE, lambda x: 1 / x, 2, 2.0**-24),
    "either sign": (SIGNED, lambda x: 1 / x, 2, 2.0**-24),
    "inv_sqrt": (POSITIVE, lambda x: x**-0.5, 2, 2.0**-24),
    "sqrt": (POSITIVE, np.sqrt, 2, 2.0**-19),
    "log": (POSITIVE, np.log, 2, 0.0),
    "exp": (EXPONENTS, np.exp, 2, 2.0**-21),
    "log of zero": (POSITIVE, lambda x: np.full_like(x, np.log(UNIT)), 2, 0.0),
    "log of less": (POSITIVE, lambda x: np.full_like(x, np.log(UNIT)), 2, 0.0),
    "share": (POSITIVE[:40], np.log, 2, 0.0),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_within_units(outcome: tuple[int, dict[str, tuple[Any, int, int]]], name: str) -> None:
    x, exact, units, relative = BOUNDS[name]
    value = outcome[1][name][0].numpy() * UNIT
    excess = np.abs(value - exact(x)) - units * UNIT - relative * np.abs(exact(x))
    worst = int(excess.argmax())
    assert excess[worst] <= 0, f"{value[worst]} at {x[worst]}, expected {exact(x)[worst]}"


def test_rounds_and_bytes(outcome: tuple[int, dict[str, tuple[Any, int, int]]]) -> None:
    parties, found = outcome
    others = parties - 1

    def test_of(count: int) -> int:
        return 8 * count + sum(-(-planes * count // 8) for planes in (27, 6, 1))

    count = POSITIVE.size
    for name, rounds, words in (("reciprocal", 9, 6), ("inv_sqrt", 9, 6), ("sqrt", 9, 6), ("log", 8, 4)):
        expected = others * (test_of(16 * count) + 8 * words * count + rounds * FRAME)
        assert found[name][1:] == (rounds * bool(others), expected), name
    expected = others * (test_of(9 * EXPONENTS.size) + 8 * 5 * EXPONENTS.size + 8 * FRAME)
    assert found["exp"][1:] == (8 * bool(others), expected)
    assert found["either sign"][1] == 14 * bool(others)
    assert found["nothing"][1:] == (0, 0)


@pytest.mark.parametrize(
    ("series", "exact"),
    [
        (mantissas.MANTISSA_RECIPROCAL, lambda x: 1 / x),
        (mantissas.MANTISSA_LOG, np.log),
        (mantissas.MANTISSA_INVERSE_ROOT, lambda x: x**-0.5),
        (mantissas.MANTISSA_ROOT, np.sqrt),
        (mantissas.MANTISSA_EXP, lambda x: np.exp(x) / 8),
    ],
)
def test_series_within_2_to_the_minus_28(series: Series, exact: Any) -> None:
    raw = np.arange(int(series.low * 2**16), int(series.high * 2**16) + 1)
    cosines, sines = harmonics(raw.astype(np.int64).view(np.uint64), series.log_period + 16, series.count)
    of_cosines, of_sines = series.coefficients()
    found = (series.constant + of_cosines @ cosines + of_sines @ sines) / 2**30
    assert np.abs(found - exact(raw / 2**16)).max() < 2.0**-28
