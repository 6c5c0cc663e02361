"""Replicated forms are kept while a value is the same, and not longer: what products open and give."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

import mpc
from mpc import engine
from mpc.engine import crypten
from mpc.processes import ProcessFailed

UNIT = 2.0**-16
SIZE = (3, 4)
X = torch.arange(12, dtype=torch.float64).reshape(SIZE) / 8 - 0.75
Y = X.flip(0) * 2 + 1
WORDS = 12


def changed(change: Callable[[Any], Any], x: Any) -> Any:
    """x after a change in place."""
    change(x)
    return x


PLACES = torch.tensor([2, 0])
ROWS = torch.ones(2, 4, dtype=torch.float64)
# What is done with x, whose form is known, the value then, and how many words its product with y opens.
CASES: dict[str, tuple[Callable[[Any], Any], torch.Tensor, int]] = {
    "itself": (lambda x: x, X, 0),
    "a copy": (lambda x: x.clone(), X, 0),
    "a shallow copy": (lambda x: x.shallow_copy(), X, 0),
    "turned back": (lambda x: x.t().t(), X, 0),
    "transposed back": (lambda x: x.transpose(0, 1).transpose(1, 0), X, 0),
    "a deep copy": (copy.deepcopy, X, WORDS),
    "a sum": (lambda x: x + 1, X + 1, WORDS),
    "a changed copy": (lambda x: changed(lambda z: z.add_(1), x.clone()), X + 1, WORDS),
    "more in place": (lambda x: changed(lambda z: z.add_(1), x), X + 1, WORDS),
    "more at an index": (
        lambda x: changed(lambda z: z._tensor.index_add_(0, PLACES, ROWS), x),
        X.index_add(0, PLACES, ROWS),
        WORDS,
    ),
    "other entries": (
        lambda x: changed(lambda z: z.__setitem__(0, 2), x),
        torch.cat([X[:1] * 0 + 2, X[1:]]),
        12,
    ),
    "negated": (lambda x: changed(lambda z: z._tensor.neg_(), x), -X, WORDS),
    "another share": (lambda x: changed(lambda z: setattr(z, "share", z.share * 2), x), X * 2, WORDS),
    "a share set": (lambda x: changed(lambda z: z.share.set_(z.share * 2), x), X * 2, WORDS),
    "new streams": (lambda x: begin_anew(x), X, 2 * WORDS),
}


def begin_anew(x: Any) -> Any:
    generators = crypten.generators
    keys = [bytes([place]) * 32 for place in range(4)]
    third = generators["local"][torch.device("cpu")].words([1]).eq(0).all() and x.share.eq(0).all()
    rank = crypten.communicator.get().get_rank()
    assert bool(third) == (rank == 2)
    nothing = b""
    previous, following = (nothing, keys[0]) if rank == 0 else (keys[0], nothing)
    if rank == 2:
        previous = following = nothing
    engine.set_streams(
        engine.SharedKeys(previous, following, keys[1], nothing if rank == 2 else keys[2 + rank])
    )
    return x


def compute(party: mpc.Party) -> dict[str, tuple[torch.Tensor, int]]:
    results = {}
    y = party.secret(Y if party.rank == 1 else None, 1, SIZE)
    for name, (use, _, _) in CASES.items():
        x = party.secret(X if party.rank == 2 else None, 2, SIZE)
        assert float((x * y).get_plain_text().abs().max()) > 0
        z = use(x)
        before = party.cost()
        product = z * y
        _ = product.share
        spent = party.cost() - before
        # The truncation is one message of so many words; what is opened has a word for which factors that is.
        # The first party tells the third one now and then how far it is, in 16 bytes.
        opened = (spent.bytes_sent - 8 * spent.rounds - 16 * spent.dealer_rounds) // 8 - WORDS
        results[name] = product.get_plain_text(), max(opened - 1, 0)
    return results


@pytest.fixture(scope="module")
def computed() -> list[dict[str, tuple[torch.Tensor, int]]]:
    return mpc.run_local(compute, 3, sharing="replicated")


@pytest.mark.parametrize("name", CASES)
def test_products_after(computed: list[dict[str, tuple[torch.Tensor, int]]], name: str) -> None:
    _, value, words = CASES[name]
    for rank, own in enumerate(computed):
        product, opened = own[name]
        assert float((product - value * Y).abs().max()) <= UNIT
        if rank != 2:
            assert opened == words


def disagree(party: mpc.Party) -> None:
    """Party 0 forgets one factor and party 1 the other, of which nobody else knows."""
    x = party.secret(X if party.rank == 0 else None, 0, SIZE)
    y = party.secret(Y if party.rank == 0 else None, 0, SIZE)
    _ = (x * y).share
    if party.rank == 2:
        _ = (x * y).share  # it opens nothing, and does not notice
        return
    (x, y)[party.rank].share.add_(0)
    with pytest.raises(ValueError, match="one party opens a factor that another knows"):
        _ = (x * y).share
    raise ArithmeticError("as expected")


def test_parties_that_know_different_factors_do_not_go_on() -> None:
    with pytest.raises(ProcessFailed, match="ArithmeticError: as expected"):
        mpc.run_local(disagree, 3, sharing="replicated")
