"""Pools of secret maps: a ReLU before them is computed after them, with the same values and gradients."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import mpc
from mpc.network import Network
from mpc.optimise import SGD

# Small whole numbers: most windows have equal entries, many of them 0 or only numbers below.
MAPS = torch.randint(-3, 3, (2, 2, 7, 6), generator=torch.Generator().manual_seed(0)).double()
SETTINGS: dict[str, dict[str, Any]] = {
    "2": {"kernel_size": 2},
    "3, overlapping": {"kernel_size": 3, "stride": 2, "padding": 1},
    "2 by 3": {"kernel_size": (2, 3), "stride": (1, 2), "padding": (0, 1)},
    "2, partial windows": {"kernel_size": 2, "ceil_mode": True},
    "2, spread": {"kernel_size": 2, "stride": 2, "dilation": 2},
    "2, more windows than entries": {"kernel_size": 2, "stride": 1, "padding": 1},
}
UNIT = 2.0**-16
# Four numbers in a row in each window, in some order: a quarter of them is the same number of whole units.
ORDERS = torch.stack(
    [torch.randperm(4, generator=torch.Generator().manual_seed(n)) for n in range(16)], dim=1
)
SMALL = functional.fold((ORDERS + 4.0 * torch.arange(16) - 32).double(), 8, 2, stride=2)[None] * UNIT
QUARTER = torch.full((1, 1, 1, 1), 0.25, dtype=torch.double)
FRAME = 8
TEST_BITS = 98


def weights(y: Any) -> torch.Tensor:
    """Whole numbers, so that the gradients are exact."""
    return torch.arange(y.numel()).reshape(tuple(y.size())).double() % 7 - 3


def layers(kind: Any) -> list[Any]:
    return [kind.Conv2d(2, 3, 2), kind.ReLU(), kind.MaxPool2d(2), kind.Flatten(1), kind.Linear(18, 2)]


class Branches(nn.Module):
    """A ReLU that two layers use."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.relu()
        return functional.max_pool2d(y, 2) + y[:, :, :3, :3]


def trained(x: Any, pooled: Any) -> tuple[Any, Any]:
    (pooled * weights(pooled)).sum().backward()
    return pooled, x.grad


def pools(party: mpc.Party, crypten: Any) -> dict[str, list[torch.Tensor]]:
    outcome = {}
    for name, settings in SETTINGS.items():
        first, second, plain = (crypten.cryptensor(MAPS, requires_grad=True) for _ in range(3))
        late = trained(first, first.relu().max_pool2d(**settings))
        relu = second.relu()
        relu.share  # noqa: B018 - read, and so computed before the pool
        early = trained(second, relu.max_pool2d(**settings))
        none = trained(plain, plain.max_pool2d(**settings))
        values = [*late, *early, *none, crypten.cryptensor(MAPS).relu().max_pool2d(**settings)]
        outcome[name] = [value.get_plain_text().double() for value in values]
    return outcome


def uses(party: mpc.Party, crypten: Any) -> dict[str, Any]:
    def secret() -> Any:
        return crypten.cryptensor(MAPS, requires_grad=True)

    x = secret()
    y = x.relu()
    ((y.max_pool2d(2) * 3).sum() + y.sum()).backward()
    both = x.grad.get_plain_text()
    x = secret()
    y = x.relu()
    y.backward(crypten.cryptensor(torch.ones_like(MAPS)))
    alone = x.grad.get_plain_text()
    x = crypten.cryptensor(MAPS)
    waiting = x.relu()
    x.add_(5)
    y = x.relu()
    y[0] = crypten.cryptensor(MAPS[0])
    _, places = secret().relu().max_pool2d((2, 2), return_indices=True)
    return {
        "both": both,
        "alone": alone,
        "changed": waiting.get_plain_text(),
        "set": y.get_plain_text(),
        "places": places.get_plain_text(),
        "text": repr(secret().relu()),
        "shape": (tuple(secret().relu().shape), len(secret().relu())),
        "copied": copy.deepcopy(secret().relu()).get_plain_text(),
        "stored": stored(secret().relu()).get_plain_text(),
    }


def products(party: mpc.Party, crypten: Any) -> dict[str, list[torch.Tensor]]:
    """Quarters of small raw values, many of them between the same two units."""
    outcome = {}
    for name, relu in (("with ReLU", True), ("without", False)):
        x = crypten.cryptensor(SMALL, requires_grad=True)
        maps = x.conv2d(crypten.cryptensor(QUARTER, requires_grad=True))
        pooled, gradient = trained(x, (maps.relu() if relu else maps).max_pool2d(2))
        outcome[name] = [pooled.get_plain_text().double(), gradient.get_plain_text().double()]
    return outcome


def stored(tensor: Any) -> Any:
    file = io.BytesIO()
    torch.save(tensor, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def models(party: mpc.Party, crypten: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    own = crypten.nn.Sequential(*layers(crypten.nn)).encrypt()
    torch.manual_seed(0)
    read = crypten.nn.from_pytorch(nn.Sequential(*layers(nn)[:3]), MAPS.float()).encrypt()
    torch.manual_seed(0)
    network = Network.share(party, nn.Sequential(*layers(nn)), owner=0)
    x, y = (
        party.secret(t if party.rank == 0 else None, owner=0, size=t.shape) for t in (MAPS, MAPS[:, 0, 0, :2])
    )
    branches = crypten.nn.from_pytorch(Branches(), MAPS.float()).encrypt()
    calls = {
        "functional": lambda: x.relu().max_pool2d(2),
        "crypten": lambda: own(x),
        "read": lambda: read(x),
        "network": lambda: network.scores(x),
        "branches": lambda: branches(x),
        "fit": lambda: network.fit(x, y, optimiser=SGD(0.1), loss="mse", steps=1, batch_size=2).scores(x),
    }
    outcome = {}
    for name, call in calls.items():
        before = party.cost()
        result = call()
        # A division that it waits for belongs to it.
        _ = result.share
        cost = party.cost() - before
        outcome[name] = result.get_plain_text(), cost.rounds, cost.bytes_sent
    return outcome


def compute(party: mpc.Party) -> dict[str, Any]:
    from mpc.engine import crypten

    return {
        "products": products(party, crypten),
        "pools": pools(party, crypten),
        "uses": uses(party, crypten),
        "models": models(party, crypten),
    }


@pytest.fixture(scope="module", params=[2, 3])
def outcome(request: pytest.FixtureRequest) -> dict[str, Any]:
    results: dict[str, Any] = mpc.run_local(compute, request.param)[0]
    return results | {"parties": request.param}


def in_torch(settings: dict[str, Any], relu: bool) -> tuple[torch.Tensor, torch.Tensor]:
    x = MAPS.clone().requires_grad_(True)
    pooled, gradient = trained(x, functional.max_pool2d(x.relu() if relu else x, **settings))
    return pooled.detach(), gradient


@pytest.mark.parametrize("name", SETTINGS)
def test_a_late_relu_is_the_same_function(outcome: dict[str, Any], name: str) -> None:
    late, late_gradient, early, early_gradient, plain, plain_gradient, untracked = outcome["pools"][name]
    value, gradient = in_torch(SETTINGS[name], relu=True)
    assert torch.equal(late, value)
    assert torch.equal(untracked, value)
    assert torch.equal(early, value)
    assert torch.equal(late_gradient, early_gradient)
    # Of equal entries the first gets the gradient here and in torch; both derivatives of ReLU at 0 are 0.
    assert torch.equal(late_gradient, gradient)
    value, gradient = in_torch(SETTINGS[name], relu=False)
    assert torch.equal(plain, value)
    assert torch.equal(plain_gradient, gradient)


@pytest.mark.parametrize("relu", [True, False])
def test_of_products_the_largest_wins_before_the_division(outcome: dict[str, Any], relu: bool) -> None:
    pooled, gradient = outcome["products"]["with ReLU" if relu else "without"]
    x = SMALL.clone().requires_grad_(True)
    maps = x * 0.25
    value, exact = trained(x, functional.max_pool2d(maps.relu() if relu else maps, 2))
    assert (pooled - value).abs().max() < UNIT
    assert (gradient - exact).abs().max() <= UNIT
    first = ORDERS.argmax(dim=0) == 0
    assert first.any() and not first.all(), "of equal quotients the first would win"


def test_the_maps_have_ties_at_zero_and_elsewhere() -> None:
    windows = functional.unfold(MAPS, 2, stride=2).reshape(2, 2, 4, -1)
    best = windows.max(dim=2).values
    tied = (windows == best.unsqueeze(2)).sum(dim=2) > 1
    for where in (best > 0, best == 0, best < 0):
        assert (tied & where).any()


def test_a_relu_that_something_else_reads(outcome: dict[str, Any]) -> None:
    uses = outcome["uses"]
    x = MAPS.clone().requires_grad_(True)
    ((functional.max_pool2d(x.relu(), 2) * 3).sum() + x.relu().sum()).backward()
    assert torch.equal(uses["both"].double(), x.grad)
    assert torch.equal(uses["alone"].double(), (MAPS > 0).double())
    for name in ("changed", "copied", "stored"):
        assert torch.equal(uses[name].double(), MAPS.relu()), name
    assert torch.equal(uses["set"][0].double(), MAPS[0])
    assert torch.equal(uses["set"][1].double(), (MAPS[1] + 5).relu())
    assert uses["text"] == "MPCTensor(size=(2, 2, 7, 6), plain_text=HIDDEN, ptype=ptype.arithmetic)"
    assert uses["shape"] == (tuple(MAPS.shape), 2)
    windows = uses["places"].double()
    # One place a window, of the largest entry after the ReLU.
    assert torch.equal(windows.sum(dim=(4, 5)), torch.ones(2, 2, 3, 3).double())
    entries = functional.unfold(MAPS.relu(), 2, stride=2).reshape(2, 2, 2, 2, 3, 3).permute(0, 1, 4, 5, 2, 3)
    assert torch.equal((windows * entries).sum(dim=(4, 5)), functional.max_pool2d(MAPS.relu(), 2))


def test_models(outcome: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*layers(nn)).double()
    expected = {"crypten": model(MAPS), "network": model(MAPS), "read": model[:3](MAPS)}
    for name, value in expected.items():
        assert (outcome["models"][name][0] - value).abs().max() < 2.0**-12, name
    assert torch.equal(outcome["models"]["branches"][0].double(), Branches()(MAPS))
    torch.manual_seed(0)
    twin = Network(nn.Sequential(*layers(nn)))
    twin.fit(MAPS, MAPS[:, 0, 0, :2], optimiser=SGD(0.1), loss="mse", steps=1, batch_size=2)
    assert (outcome["models"]["fit"][0] - twin.scores(MAPS)).abs().max() < 2.0**-10


def test_what_they_cost(outcome: dict[str, Any]) -> None:
    """Tests of two pairs in each of 36 windows, then of one, then the ReLU of 36 numbers; 4 rounds each.

    The convolution's openings take a round, and its division none.
    """
    costs = {name: cost for name, (_, *cost) in outcome["models"].items()}
    parties = outcome["parties"]
    tests = sum(-(-bits * count // 8) for count in (72, 36, 36) for bits in (64, 27, 6, 1))
    pooled = [3 * 4, (parties - 1) * (tests + 3 * 4 * FRAME)]
    assert costs["functional"] == pooled
    convolved = [1, (parties - 1) * ((MAPS.numel() + 3 * 2 * 2 * 2) * 8 + FRAME)]
    assert costs["read"] == [a + b for a, b in zip(convolved, pooled, strict=True)]
    # Off the tape CrypTen divides the convolution at once.
    divided = [1, (parties - 1) * (2 * 3 * 6 * 5 * 8 + FRAME)]
    assert costs["network"] == [a + b for a, b in zip(divided, costs["crypten"], strict=True)]
    assert costs["crypten"][0] == costs["read"][0] + 2
