"""Comparisons of secret tensors: values, exact rounds and bytes, for one to three parties, and by keys."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import mpc

COUNT = 400
# A message of the channel has its length in front and a round is one message to each other party.
FRAME = 8
# 64 bits opened, then 27, 6 and 1 masked ones.
TEST_BITS = 98

VALUES = torch.arange(-COUNT // 2, COUNT // 2).double() * 2.0**-16
ROWS = torch.tensor([[1.0, 3.0, 3.0, -2.0, 5.0, 5.0, 0.0, 1.0, 2.0, -7.0], [0.0] * 10, [-1.0] * 9 + [-0.5]])


def spent(party: mpc.Party, work: Any) -> tuple[Any, int, int]:
    before = party.cost()
    result = work()
    cost = party.cost() - before
    return result, cost.rounds, cost.bytes_sent


def compute(party: mpc.Party) -> dict[str, tuple[Any, int, int]]:
    from mpc.engine import crypten

    x, rows = crypten.cryptensor(VALUES), crypten.cryptensor(ROWS)
    image = crypten.cryptensor(torch.arange(64.0).reshape(1, 1, 8, 8) * 0.25)
    tracked, other = (crypten.cryptensor(VALUES, requires_grad=True) for _ in range(2))

    def backward() -> Any:
        tracked.relu().sum().backward()
        return tracked.grad

    works = {
        "negative": x._ltz,
        "relu": x.relu,
        "abs": x.abs,
        "sign": x.sign,
        "equal": lambda: x.eq(0),
        "max": rows.max,
        "row max": lambda: rows.max(dim=1)[0],
        "argmax": lambda: rows.argmax(dim=1),
        "pool": lambda: image.max_pool2d(2),
        "tracked": other.relu,
        "gradient": backward,
        "none": lambda: x[:0].relu(),
    }
    outcome = {}
    for name, work in works.items():
        result, rounds, octets = spent(party, work)
        outcome[name] = result.get_plain_text(), rounds, octets
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, tuple[Any, int, int]]]:
    return request.param, mpc.run_local(compute, request.param)[0]


@pytest.fixture(scope="module")
def keyed() -> dict[str, tuple[Any, int, int]]:
    results: dict[str, tuple[Any, int, int]] = mpc.run_local(compute, 2, comparison="dcf")[0]
    return results


def test_values(outcome: tuple[int, dict[str, tuple[Any, int, int]]]) -> None:
    check_values(outcome[1])


def test_values_by_keys(keyed: dict[str, tuple[Any, int, int]]) -> None:
    check_values(keyed)


def check_values(results: dict[str, tuple[Any, int, int]]) -> None:
    values = {name: result.double() for name, (result, _, _) in results.items()}
    assert torch.equal(values["negative"], (VALUES < 0).double())
    assert torch.equal(values["relu"], VALUES.relu())
    assert torch.equal(values["tracked"], VALUES.relu())
    assert torch.equal(values["abs"], VALUES.abs())
    assert torch.equal(values["sign"], torch.where(VALUES < 0, -1.0, 1.0).double())
    assert torch.equal(values["equal"], (VALUES == 0).double())
    assert values["max"] == 5.0
    assert torch.equal(values["row max"], ROWS.max(dim=1).values.double())
    # Of equal entries the first.
    expected = torch.nn.functional.one_hot(torch.tensor([4, 0, 9]), 10).double()
    assert torch.equal(values["argmax"], expected)
    image = torch.arange(64.0).reshape(1, 1, 8, 8) * 0.25
    assert torch.equal(values["pool"], torch.nn.functional.max_pool2d(image, 2).double())
    assert torch.equal(values["gradient"], (VALUES > 0).double())
    assert values["none"].shape == (0,)


def test_rounds_and_bytes(outcome: tuple[int, dict[str, tuple[Any, int, int]]]) -> None:
    parties, results = outcome
    others = parties - 1
    test = others * (COUNT * TEST_BITS // 8 + 4 * FRAME)
    for name in ("negative", "relu", "abs", "sign", "tracked"):
        assert results[name][1:] == (4 * bool(others), test), name
    assert results["equal"][1:] == (4 * bool(others), others * (2 * COUNT * TEST_BITS // 8 + 4 * FRAME))
    # Leagues: tests, whose wins are all, and for the number itself a product. A pool plays a knockout.
    assert results["row max"][1] == 6 * bool(others)
    assert results["argmax"][1] == 5 * bool(others)
    assert results["pool"][1] == 8 * bool(others)
    assert results["none"][1:] == (0, 0)
    if parties == 2:
        # Sent and received by one party for 16 outputs: below 700 bytes each.
        assert 2 * (results["pool"][2] - 8 * FRAME) / 16 < 140


def test_rounds_and_bytes_by_keys(keyed: dict[str, tuple[Any, int, int]]) -> None:
    """A ReLU is one round, and 16 bytes an entry sent and received."""
    for name in ("negative", "relu", "abs", "sign", "tracked"):
        assert keyed[name][1:] == (1, 8 * COUNT + FRAME), name
    assert keyed["equal"][1:] == (1, 16 * COUNT + FRAME)
    assert keyed["row max"][1] == keyed["argmax"][1] == 4 + 3
    assert keyed["pool"][1] == 2
    assert keyed["none"][1:] == (0, 0)
