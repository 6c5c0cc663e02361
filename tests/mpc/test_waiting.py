"""Divisions that wait: the values of divisions at once, in fewer rounds, whatever reads them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

import mpc

UNIT = 2.0**-16
LEFT = torch.linspace(-3, 3, 12).double().reshape(4, 3)
RIGHT = torch.linspace(2, -1, 15).double().reshape(3, 5)
PRODUCT = LEFT @ RIGHT
BIAS = torch.linspace(-1, 1, 5).double()


def put(x: Any, row: Any) -> Any:
    x[0] = row
    return x


def compute(party: mpc.Party) -> dict[str, Any]:
    from mpc.engine import crypten
    from mpc.waiting import fold, settle, waiting

    def share(value: torch.Tensor) -> Any:
        return party.secret(value if party.rank == 0 else None, 0, value.shape)

    bias = share(BIAS)

    def product() -> Any:
        """Of a layer on the tape, so that it waits."""
        x, y = share(LEFT), share(RIGHT)
        x.requires_grad = True
        return x.matmul(y).detach()

    def counted(work: Any) -> tuple[torch.Tensor, int]:
        """The value, and the rounds until its share was known."""
        x = product()
        before = party.cost()
        result = work(x)
        _ = result.share
        return result, (party.cost() - before).rounds

    works = {
        "read": lambda x: x,
        "plus a bias": lambda x: x + bias,
        "biased and viewed": lambda x: (x + bias).view(2, 10),
        "minus a bias": lambda x: x - bias,
        "plus a number": lambda x: x + 2.5,
        "minus a table": lambda x: x - PRODUCT,
        "minus itself": lambda x: x - x.clone(),
        "with its opposite": lambda x: x + (-x),
        "negated": lambda x: -x,
        "transposed": lambda x: x.t().reshape(2, 10),
        "part": lambda x: x[1:3, ::2].unsqueeze(0),
        "divided": lambda x: x.div(3),
        "divided by a fraction": lambda x: x.div(2.5),
        "biased and divided": lambda x: (x + bias).div(4),
        "folded and divided": lambda x: fold(x + bias).div(4),
        "relu": lambda x: x.relu(),
        "relu of a sum": lambda x: (x + bias - 0.5).relu(),
        "sign": lambda x: x < 0,
        "abs": lambda x: x.abs(),
        "times an integer": lambda x: x * 3,
        "times a fraction": lambda x: x * 0.5,
        "times itself": lambda x: x * x,
        "joined": lambda x: crypten.cat([x, bias.reshape(1, 5), x]),
        "joined behind": lambda x: crypten.cat([bias.reshape(1, 5), x]),
        "stacked": lambda x: crypten.stack([x, -x]),
        "summed": lambda x: x.sum(0),
        "added up": lambda x: x.index_add(0, torch.tensor([0, 0]), torch.ones(2, 5)),
        "scattered": lambda x: x.scatter_add(0, torch.zeros(1, 5, dtype=torch.long), torch.ones(1, 5)),
        "wider": lambda x: x.reshape(1, 4, 5) + share(torch.ones(2, 1, 1)),
        "copied": copy.deepcopy,
        "set": lambda x: put(x, bias),
        "expanded": lambda x: x.unsqueeze(0).expand(3, 4, 5),
        "sigmoid": lambda x: x.sigmoid(),
    }
    outcome: dict[str, Any] = {}
    for name, work in works.items():
        result, rounds = counted(work)
        scale = result.encoder.scale
        outcome[name] = result.reveal().double() / scale, rounds
    several = [product() for _ in range(3)]
    before = party.cost()
    settle(crypten, [*several, bias])
    outcome["several"] = (party.cost() - before).rounds
    assert all(waiting(each) is None for each in several)
    x = product()
    before = party.cost()
    described = repr(x), repr(x._tensor), tuple(x.size()), x.nelement(), x.dim(), len(x), x.shape
    outcome["described"] = described, (party.cost() - before).rounds, waiting(x) is not None
    changing = share(BIAS)
    later = x + changing
    changing.share.add_(1 << 20)
    outcome["a sum of before"] = party.reveal(later).double()
    kept, once = x.clone(), x.shallow_copy()
    kept._tensor.share.add_(1)
    outcome["a copy of its own"] = party.reveal(x).double(), party.reveal(once).double()
    return outcome


@pytest.fixture(scope="module", params=[1, 2, 3])
def outcome(request: pytest.FixtureRequest) -> tuple[int, dict[str, Any]]:
    return request.param, mpc.run_local(compute, request.param)[0]


EXPECTED = {
    "read": (PRODUCT, 1, 1),
    "plus a bias": (PRODUCT + BIAS, 1, 1),
    "biased and viewed": ((PRODUCT + BIAS).reshape(2, 10), 1, 1),
    "minus a bias": (PRODUCT - BIAS, 1, 1),
    "plus a number": (PRODUCT + 2.5, 1, 1),
    "minus a table": (PRODUCT * 0, 1, 2),
    "minus itself": (PRODUCT * 0, 1, 0),
    "with its opposite": (PRODUCT * 0, 1, 0),
    "negated": (-PRODUCT, 1, 1),
    "transposed": (PRODUCT.t().reshape(2, 10), 1, 1),
    "part": (PRODUCT[1:3, ::2].unsqueeze(0), 1, 1),
    "divided": (PRODUCT / 3, 1, 2),
    "divided by a fraction": (PRODUCT / 2.5, 2, 4),
    "biased and divided": ((PRODUCT + BIAS) / 4, 2, 2),
    "folded and divided": ((PRODUCT + BIAS) / 4, 1, 1),
    "relu": (PRODUCT.relu(), 4, 1),
    "relu of a sum": ((PRODUCT + BIAS - 0.5).relu(), 4, 1),
    "sign": ((PRODUCT < 0).double(), 4, 0),
    "abs": (PRODUCT.abs(), 4, 3),
    "times an integer": (PRODUCT * 3, 1, 3),
    "times a fraction": (PRODUCT * 0.5, 2, 2),
    "times itself": (PRODUCT * PRODUCT, 3, 12),
    "joined": (torch.cat([PRODUCT, BIAS.reshape(1, 5), PRODUCT]), 1, 1),
    "joined behind": (torch.cat([BIAS.reshape(1, 5), PRODUCT]), 1, 1),
    "stacked": (torch.stack([PRODUCT, -PRODUCT]), 1, 1),
    "summed": (PRODUCT.sum(0), 1, 4),
    "added up": (PRODUCT.index_add(0, torch.tensor([0, 0]), torch.ones(2, 5).double()), 1, 1),
    "scattered": (
        PRODUCT.scatter_add(0, torch.zeros(1, 5, dtype=torch.long), torch.ones(1, 5).double()),
        1,
        1,
    ),
    "wider": (PRODUCT + torch.ones(2, 1, 1), 1, 1),
    "copied": (PRODUCT, 1, 1),
    "set": (torch.cat([BIAS.reshape(1, 5), PRODUCT[1:]]), 1, 1),
    "expanded": (PRODUCT.expand(3, 4, 5), 1, 1),
    "sigmoid": (PRODUCT.sigmoid(), 6, 3),
}
# Of LEFT and RIGHT, encoded, by the other: three products of numbers up to 3 a sum.
ENCODED = 3 * (3 + 2) / 2


@pytest.mark.parametrize("name", EXPECTED)
def test_values_and_rounds(outcome: tuple[int, dict[str, Any]], name: str) -> None:
    """Within units of the exact value, beside what encoding the factors changes."""
    parties, found = outcome
    exact, rounds, units = EXPECTED[name]
    value, spent = found[name]
    assert value.shape == exact.shape
    slack = 0 if units == 0 else ENCODED * max(1, units / 2)
    assert float((value - exact).abs().max()) <= (units + slack) * UNIT
    assert spent == (rounds if parties > 1 else 0)


def test_several_are_divided_in_one_round(outcome: tuple[int, dict[str, Any]]) -> None:
    parties, found = outcome
    assert found["several"] == int(parties > 1)


def test_a_description_divides_nothing(outcome: tuple[int, dict[str, Any]]) -> None:
    """It may be asked for by one party alone."""
    parties, found = outcome
    described, rounds, still = found["described"]
    assert described[2:] == ((4, 5), 20, 2, 4, (4, 5))
    assert "HIDDEN" in described[0] and "HIDDEN" in described[1]
    assert rounds == 0 and still == (parties > 1)


def test_copies_do_not_share_what_is_written(outcome: tuple[int, dict[str, Any]]) -> None:
    first, second = outcome[1]["a copy of its own"]
    assert torch.equal(first, second)
    assert float((first - PRODUCT).abs().max()) < (1 + ENCODED) * UNIT


def test_an_addend_that_changes_later_is_the_one_that_was_added(outcome: tuple[int, dict[str, Any]]) -> None:
    assert float((outcome[1]["a sum of before"] - PRODUCT - BIAS).abs().max()) < (2 + ENCODED) * UNIT
