"""Checks of secret random numbers: ranges, and means within five standard deviations of theirs."""

from __future__ import annotations

from typing import Any

import torch
from checking import UNIT, Table, close, share

SAMPLING = Table()
COUNT = 4000


def near(actual: torch.Tensor, mean: float, deviation: float) -> None:
    spread = 5 * deviation / len(actual) ** 0.5
    assert abs(float(actual.double().mean()) - mean) < spread, f"mean {float(actual.mean())}, expected {mean}"


@SAMPLING.add
def rand(crypten: Any) -> None:
    values = crypten.rand(COUNT).get_plain_text()
    assert float(values.min()) >= 0
    assert float(values.max()) < 1
    near(values, 0.5, 12**-0.5)
    near(values.square(), 1 / 3, 0.3)
    assert len(values.unique()) > 0.9 * COUNT
    assert crypten.rand(2, 3).size() == torch.Size([2, 3]) == crypten.rand((2, 3)).size()


@SAMPLING.add
def randn(crypten: Any) -> None:
    """Box-Muller with CrypTen's approximations: the variance within the two percent of its logarithm."""
    values = crypten.randn(COUNT + 1).get_plain_text()
    assert values.shape == (COUNT + 1,)
    near(values, 0.0, 1.05)
    near(values.square() / 1.0, float(values.square().mean()), 1.0)
    assert abs(float(values.square().mean()) - 1.0) < 5 * (2 / COUNT) ** 0.5 + 0.05


@SAMPLING.add
def bernoulli(crypten: Any) -> None:
    for probability in (0.0, 0.25, 1.0):
        (p,) = share(crypten, [torch.full((COUNT,), probability)])
        for drawn in (p.bernoulli(), crypten.bernoulli(p)):
            values = drawn.get_plain_text()
            assert set(values.tolist()) <= {0.0, 1.0}
            near(values, probability, (probability * (1 - probability)) ** 0.5 + 1e-9)


@SAMPLING.add
def dropout(crypten: Any) -> None:
    """Entries, or whole channels, are zero or scaled, alike at all parties; not in evaluation."""
    x = crypten.cryptensor(torch.ones(20, 10, 4))
    for drop, blocks in [(x.dropout, COUNT), (x._feature_dropout, 200)]:
        values = drop(p=0.5).get_plain_text()
        assert set(values.unique().tolist()) == {0.0, 2.0}
        block = values if blocks == COUNT else values[:, :, 0]
        assert torch.equal(values, block if blocks == COUNT else block.unsqueeze(2).expand(20, 10, 4))
        near(block.flatten(), 1.0, 1.0 * (COUNT / 800) ** 0.5)
        close(drop(p=0.5, training=False), torch.ones(20, 10, 4))
    secret = crypten.cryptensor(torch.ones(100), requires_grad=True)
    result = secret.dropout(p=0.25)
    result.backward(crypten.cryptensor(torch.ones(100)))
    close(secret.grad, result.get_plain_text(), UNIT)


@SAMPLING.add
def weighted(crypten: Any) -> None:
    weights = torch.tensor([1.0, 6.0, 0.0, 1.0]).repeat(200, 1)
    (x,) = share(crypten, [weights])
    chosen = x.weighted_index(dim=1).get_plain_text()
    assert torch.equal(chosen.sum(1), torch.ones(200))
    near(chosen[:, 1], 0.75, 0.44)
    assert not chosen[:, 2].any()
    sample, where = x.weighted_sample(dim=1)
    close(sample, (where.get_plain_text() * weights).sum(1), 4 * UNIT)


@SAMPLING.add
def draws_differ(crypten: Any) -> None:
    """Fresh numbers each time, also shares of the same value."""
    first, second = crypten.rand(10), crypten.rand(10)
    assert not torch.equal(first.get_plain_text(), second.get_plain_text())
    one, other = crypten.cryptensor(torch.ones(10)), crypten.cryptensor(torch.ones(10))
    holds_zero = crypten.mpc.get_default_provider().deals
    if crypten.communicator.get().get_world_size() > 1 and not holds_zero:
        assert not (one.share == other.share).any()
