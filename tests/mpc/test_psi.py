"""Alignment of tables by their ids: against Python's own sets, with every kind of id that is no id."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mpc
from mpc.exchange import CHUNK_ROWS
from mpc.psi import Alignment, align

TABLES: dict[str, list[Any]] = {
    # More than one chunk each, overlapping in part, in different orders, as text here and numbers there.
    "a": [str(3 * i) for i in range(CHUNK_ROWS + 100)],
    "b": [2 * i for i in range(CHUNK_ROWS + 700)][::-1],
    "c": list(np.arange(0, 4000, 5)),
}
SMALL: dict[str, list[Any]] = {
    "a": ["x", None, "y", "x", "", math.nan, "z", "only a"],
    "b": ["only b", "z", pd.NA, "x"],
    "c": ["z", "y", "x"],
}
NOBODY: Any = None


def program(party: mpc.Party) -> list[Alignment]:
    """Several alignments in one set of processes."""
    return [
        align(party, TABLES[party.name]),
        align(party, SMALL[party.name], repeated="first"),
        align(party, [] if party.rank == 0 else ["1", "2"]),
        align(party, [f"{party.name}-1"]),
    ]


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c"]], ids=len)
def test_rows_of_the_common_ids_in_one_order(names: list[str]) -> None:
    results = mpc.run_local(program, len(names), names=names)
    common = set.intersection(*({str(value) for value in TABLES[name]} for name in names))
    orders = set()
    for name, (large, small, nothing, disjoint) in zip(names, results, strict=True):
        orders.add(tuple(str(TABLES[name][row]) for row in large.rows))
        assert sorted([*large.rows, *large.unmatched]) == list(range(len(TABLES[name])))
        kept = {SMALL[name][row] for row in small.rows}
        assert kept == {1: {"x", "y", "z", "only a"}, 2: {"x", "z"}, 3: {"x", "z"}}[len(names)]
        assert len(nothing.rows) == 0
        assert len(disjoint.rows) == (1 if len(names) == 1 else 0)
    assert len(orders) == 1
    assert set(orders.pop()) == common
    a = results[0][1]
    assert (list(a.repeated), list(a.without_id)) == ([3], [1, 4, 5])
    assert repr(a) == (
        f"Alignment({len(a.rows)} common rows, {4 - len(a.rows)} unmatched, 1 repeated, 3 without id)"
    )


def points_seen(party: mpc.Party) -> bool:
    """Whether anything that arrives is equal to what this party could compute from a guessed id."""
    from mpc import group, psi

    arrived: list[bytes] = []
    original = psi.swap

    def spy(*arguments: Any) -> Any:
        tables = original(*arguments)
        arrived.extend(point.tobytes() for table in tables.values() for point in table)
        return tables

    psi.swap = spy  # type: ignore[attr-defined]
    guesses = [f"patient {number}" for number in range(50)]
    align(party, guesses)
    assert len(arrived) == 100
    return bool({group.hash_to_group(guess.encode()) for guess in guesses} & set(arrived))


def test_guessing_ids_does_not_explain_the_messages() -> None:
    assert mpc.run_local(points_seen, 2) == [False, False]


@pytest.mark.parametrize("told", [-1, 2**40, "many", None, True, 3.0], ids=repr)
def test_a_count_that_is_none_is_refused(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mpc import psi

    class Two:
        names = ("a", "b")

    monkeypatch.setattr(psi, "tell_all", lambda party, own: [own, told])
    party: Any = Two()
    with pytest.raises(ValueError, match="b announced no number of ids from 0 to"):
        align(party, ["x"])


def test_repeated_ids_are_refused_without_naming_them() -> None:
    with pytest.raises(
        ValueError, match="1 rows repeat an id of an earlier row, the first is row 3"
    ) as error:
        align(NOBODY, SMALL["a"])
    assert "'x'" not in str(error.value)
    with pytest.raises(ValueError, match="repeated must be 'refuse' or 'first', got 'last'"):
        align(NOBODY, [], repeated="last")


@pytest.mark.parametrize("bad", [1.5, True, b"bytes", math.inf, ["list"]], ids=repr)
def test_what_is_no_id_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="a string or a whole number, row 1 holds a"):
        align(NOBODY, ["fine", bad])


def test_whole_floats_count_as_numbers() -> None:
    with pytest.raises(ValueError, match="1 rows repeat"):
        align(NOBODY, [12, 12.0])


def hundred_thousand(party: mpc.Party) -> tuple[int, float]:
    alignment = align(party, range(50_000 * party.rank, 50_000 * party.rank + 100_000))
    return len(alignment.rows), time.process_time()


@pytest.mark.slow
def test_hundred_thousand_ids_on_each_side_take_a_core_each_less_than_a_minute() -> None:
    """Processor time, which does not depend on what else the machine does; import and start are included."""
    for common, seconds_s in mpc.run_local(hundred_thousand, 2):
        assert common == 50_000
        assert seconds_s < 60
