"""Parties in real processes over real channels: results as in the clear, for one, two and three of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mpc
from mpc import party as party_module
from mpc import processes
from mpc.processes import Meeting, ProcessFailed, Task, run_processes

# One unit in the last place of CrypTen's fixed-point numbers.
UNIT = 2.0**-16


def arithmetic(party: mpc.Party) -> dict[str, torch.Tensor]:
    x = party.secret(inputs()[0] if party.rank == 0 else None, owner=0, size=(5, 4))
    last = party.world_size - 1
    y = party.secret(inputs()[1] if party.rank == last else None, owner=last, size=(5, 4))
    results = {
        "sum": x + y,
        "product": x * y,
        "matmul": x.matmul(y.t()),
        "square": x.square(),
        "third": x / 3,
        "scaled": x * 0.25,
        "less": x < y,
        "relu": x.relu(),
        "equal": x.eq(x),
    }
    revealed = {name: party.reveal(value) for name, value in results.items()}
    return {name: value for name, value in revealed.items() if value is not None}


def inputs() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(1)
    return rng.uniform(-3, 3, (5, 4)), rng.uniform(-3, 3, (5, 4))


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_results_are_those_of_the_clear(parties: int) -> None:
    """Bounds: half a unit of encoding error an input, grown by the other factor, one for a division."""
    results = mpc.run_local(arithmetic, parties)
    x, y = (torch.from_numpy(value) for value in inputs())
    exact = {
        "sum": (x + y, 2 * UNIT),
        "product": (x * y, 5 * UNIT),
        "matmul": (x @ y.T, 17 * UNIT),
        "square": (x * x, 5 * UNIT),
        "third": (x / 3, 3 * UNIT),
        "scaled": (x * 0.25, 3 * UNIT),
        "less": ((x < y).double(), 0.0),
        "relu": (x.relu(), 2 * UNIT),
        "equal": (torch.ones_like(x), 0.0),
    }
    assert len(results) == parties
    for own in results:
        for name, (value, bound) in exact.items():
            assert float((own[name].double() - value).abs().max()) <= bound, name


def large_product(party: mpc.Party) -> float:
    """Raw products near 2^60, where dividing each share on its own fails once in a few values."""
    size = (200_000,)
    x = party.secret(np.full(size, 16_000.0) if party.rank == 0 else None, owner=0, size=size)
    product = party.reveal(x * x)
    assert product is not None
    return float((product.double() - 16_000.0**2).abs().max())


@pytest.mark.parametrize("parties", [2, 3])
def test_large_products_never_fail(parties: int) -> None:
    assert max(mpc.run_local(large_product, parties)) <= 16.0  # float32 of CrypTen's decoder at 2.56e8


def learn_nothing(party: mpc.Party, own: float) -> tuple[Any, float]:
    x = party.secret(np.array([own]) if party.rank == 0 else None, owner=0, size=(1,))
    only_one = party.reveal(x * 2.0, to="party-1")
    return only_one, own


def test_reveal_to_one_party_and_inputs_stay_apart() -> None:
    (nothing, own), (value, other) = mpc.run_local(learn_nothing, 2, inputs=[1.5, 0.0])
    assert nothing is None
    assert (own, other) == (1.5, 0.0)
    assert value.item() == pytest.approx(3.0, abs=UNIT)


def counted(party: mpc.Party) -> list[mpc.Cost]:
    x = party.secret(np.ones((10, 10)) if party.rank == 0 else None, owner=0, size=(10, 10))
    before = party.cost()
    party.reveal(x)
    opened = party.cost()
    x.matmul(x)
    return [opened - before, party.cost() - opened]


def test_rounds_and_bytes_are_counted() -> None:
    for rank, (opening, product) in enumerate(mpc.run_local(counted, 2)):
        assert opening.rounds == 1
        assert 800 <= opening.bytes_sent <= 850
        # One opening of x - a and y - b, one of the truncation mask.
        assert product.rounds == 2
        assert 2400 <= product.bytes_sent <= 2500
        assert product.dealer_rounds == (2 if rank == 0 else 0)
        assert (product.dealer_bytes_received >= 2400) == (rank == 0)


def disagree(party: mpc.Party) -> None:
    size = (3,) if party.rank == 0 else (4,)
    x = party.secret(np.ones(3) if party.rank == 0 else None, owner=0, size=size)
    party.reveal(x)


def test_different_shapes_are_an_error_that_says_both() -> None:
    with pytest.raises(ProcessFailed, match=r"sent (24|32) bytes where (24|32) were expected"):
        mpc.run_local(disagree, 2)


def die(party: mpc.Party, folder: Path) -> None:
    """One party dies between two steps; the others write down how they noticed."""
    if party.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    x = party.secret(np.ones(3) if party.rank == 0 else None, owner=0, size=(3,))
    try:
        party.reveal(x)
    except ConnectionError as error:
        (folder / party.name).write_text(str(error))
        raise


@pytest.mark.parametrize("parties", [2, 3])
def test_everybody_notices_a_dead_party_and_says_whom(
    parties: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They notice by the end of the connection: a silent party would be lost after `timeout_s`, an hour."""
    monkeypatch.setattr(processes, "GRACE_S", 120.0)
    with pytest.raises(ProcessFailed, match="party-1: died with exit code -9"):
        mpc.run_local(die, parties, inputs=[tmp_path] * parties, timeout_s=3600)
    said = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert set(said) == {"party-0", "party-2"} & {f"party-{rank}" for rank in range(parties)}
    # With three parties one survivor may hear first that the other has given up.
    assert all("lost party-" in text for text in said.values()), said
    assert any("lost party-1 (rank 1)" in text for text in said.values()), said


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.array([1.0, np.nan]), "1 entries that are not finite"),
        (np.array([1.0, 2.0**30]), "must be below"),
        (np.ones(3), r"shape \(3,\) given, expected \(2,\)"),
        (None, "gave nothing for 0's secret"),
    ],
)
def test_bad_inputs_are_refused_before_anything_is_shared(value: Any, message: str) -> None:
    def program(party: mpc.Party) -> None:
        party.secret(value, owner=0, size=(2,))

    with pytest.raises(ProcessFailed, match=message):
        mpc.run_local(program, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parties": 0}, "1, 2 or 3, got 0"),
        ({"parties": 4}, "1, 2 or 3, got 4"),
        ({"parties": 2, "names": ["a", "a"]}, "different names"),
        ({"parties": 2, "names": ["a", "dealer"]}, "different names"),
        ({"parties": 2, "inputs": [1]}, "as many inputs, got 1"),
    ],
)
def test_run_local_checks_its_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mpc.run_local(arithmetic, **arguments)


def dying_dealer(meeting: Meeting, parties: int) -> None:
    _, listener, roster = party_module.meet(meeting, party_module.DEALER, parties)
    for _ in roster.parties:
        listener.accept(timeout_s=30)
    os._exit(7)


def multiply(party: mpc.Party, folder: Path) -> None:
    x = party.secret(np.ones(3) if party.rank == 0 else None, owner=0, size=(3,))
    try:
        party.reveal(x * x)
    except ConnectionError as error:
        (folder / party.name).write_text(str(error))
        raise


def test_everybody_notices_a_dead_dealer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first party waits for the dealer, the others for the first party: all of them name the dealer."""
    monkeypatch.setattr(processes, "GRACE_S", 120.0)
    tasks = [
        Task(f"party-{rank}", party_module._run_party, (multiply, f"party-{rank}", (tmp_path,), 2, 3600.0))
        for rank in range(2)
    ]
    with pytest.raises(ProcessFailed, match="dealer: died with exit code 7"):
        run_processes([*tasks, Task("dealer", dying_dealer, (2,))], timeout_s=3600)
    first, second = ((tmp_path / f"party-{rank}").read_text() for rank in range(2))
    assert first.startswith("lost the dealer dealer: ")
    assert second.startswith("lost party-0 (rank 0): ")
    assert second.endswith("gone as well: dealer")
