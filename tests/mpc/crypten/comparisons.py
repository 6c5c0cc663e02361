"""Checks of comparisons and what is built on them: truth values exact, selected values within a unit."""

from __future__ import annotations

from typing import Any

import torch
from checking import UNIT, Table, close, grid, share

COMPARISONS = Table()
same = COMPARISONS.same

X = grid(3, 5, seed=1)
Y = torch.where(grid(3, 5, seed=2) > 0, X, grid(3, 5, seed=3))
EDGES = torch.tensor([0.0, UNIT, -UNIT, 2.0**29, -(2.0**29), 1.0], dtype=torch.float64)
for name in ("lt", "le", "gt", "ge", "eq", "ne"):
    compare = {
        "lt": torch.lt,
        "le": torch.le,
        "gt": torch.gt,
        "ge": torch.ge,
        "eq": torch.eq,
        "ne": torch.ne,
    }[name]

    def apply(x: Any, y: Any, name: str = name, compare: Any = compare) -> Any:
        return compare(x, torch.as_tensor(y)).double() if torch.is_tensor(x) else getattr(x, name)(y)

    same(f"{name}_secret", apply, X, Y)
    same(f"{name}_public", lambda x, apply=apply: apply(x, Y.float()), X)
    same(f"{name}_zero", lambda x, apply=apply: apply(x, 0), EDGES)


@COMPARISONS.add
def operators(crypten: Any) -> None:
    x, y = share(crypten, [X, Y])
    for actual, expected in [
        (x < y, X < Y),
        (x >= y, X >= Y),
        (x == y, X == Y),
        (x != 0.5, X != 0.5),
        (x <= Y.float(), X <= Y),
    ]:
        close(actual, expected.double())


same("sign", lambda x: x.sign() + 0 if not torch.is_tensor(x) else x.sign() + (x == 0), EDGES)
same("abs", lambda x: x.abs(), X, bound=UNIT)
same("relu", lambda x: x.relu(), X, bound=UNIT)
same(
    "relu6",
    lambda x: x.relu6() if not torch.is_tensor(x) else torch.nn.functional.relu6(x),
    3 * X,
    bound=2 * UNIT,
)
same(
    "hardtanh",
    lambda x: x.hardtanh() if not torch.is_tensor(x) else torch.nn.functional.hardtanh(x),
    X,
    bound=2 * UNIT,
)
same(
    "hardtanh_bounds",
    lambda x: x.hardtanh(-2, 3) if not torch.is_tensor(x) else torch.nn.functional.hardtanh(x, -2, 3),
    X,
    bound=2 * UNIT,
)

DISTINCT = torch.randperm(20, generator=torch.Generator().manual_seed(1)).reshape(4, 5).double() - 9.25


def one_hot(x: torch.Tensor, dim: int | None, largest: bool) -> torch.Tensor:
    extreme = x.amax(dim, keepdim=True) if largest else x.amin(dim, keepdim=True)
    return (x == (extreme if dim is not None else x.max() if largest else x.min())).double()


for method in ("log_reduction", "pairwise", "double_log_reduction", "accelerated_cascade"):
    # A minimum is the maximum of the negative, whatever the method.
    for name in ("max", "min") if method == "log_reduction" else ("max",):

        def extremes(crypten: Any, method: str = method, name: str = name) -> None:
            (x,) = share(crypten, [DISTINCT])
            largest = name == "max"
            function = getattr(DISTINCT, name)
            with crypten.cfg.temp_override({"functions.max_method": method}):
                # Up to five selections, each of which cuts once.
                close(getattr(x, name)(), function(), 5 * UNIT)
                for dim in (0, -1):
                    value, where = getattr(x, name)(dim=dim)
                    close(value, function(dim=dim)[0], 5 * UNIT)
                    close(where, one_hot(DISTINCT, dim, largest))
                    value, index = getattr(x, name)(dim=dim, keepdim=True, one_hot=False)
                    close(value, function(dim=dim, keepdim=True)[0], 5 * UNIT)
                    close(index, function(dim=dim, keepdim=True)[1])
                arg = "arg" + name
                close(getattr(x, arg)(one_hot=False), getattr(DISTINCT, arg)())
                close(getattr(x, arg)(dim=0), one_hot(DISTINCT, 0, largest))

        COMPARISONS[f"{name}_by_{method}"] = extremes


@COMPARISONS.add
def ties_have_one_winner(crypten: Any) -> None:
    ties = torch.tensor([[1.0, 3.0, 3.0, 3.0], [2.0, 2.0, 2.0, 2.0]])
    (x,) = share(crypten, [ties])
    for _ in range(3):
        winners = x.argmax(dim=1).get_plain_text()
        assert torch.equal(winners.sum(1), torch.ones(2))
        assert bool((ties[winners.bool()] == torch.tensor([3.0, 2.0])).all())


@COMPARISONS.add
def max_pool_with_indices(crypten: Any) -> None:
    image = torch.randperm(72, generator=torch.Generator().manual_seed(2)).reshape(2, 1, 6, 6).double()
    (x,) = share(crypten, [image])
    value, where = x.max_pool2d(2, return_indices=True)
    expected = torch.nn.functional.max_pool2d(image, 2)
    close(value, expected, 4 * UNIT)
    windows = image.unfold(2, 2, 2).unfold(3, 2, 2)
    close(where, (windows == expected[..., None, None]).double())


@COMPARISONS.add
def binary_shares(crypten: Any) -> None:
    """Bitwise sharings, and the way there and back."""
    numbers = torch.tensor([0, 1, -1, 2**40 + 5, -(2**61)])
    other = torch.tensor([3, 3, 2**33, 7, -1])
    binary = crypten.mpc.binary
    x = crypten.cryptensor(numbers, ptype=binary)
    y = crypten.cryptensor(other, ptype=binary, src=0)._tensor
    tensor = x._tensor
    for actual, expected in [
        (tensor & y, numbers & other),
        (tensor ^ y, numbers ^ other),
        (tensor | y, numbers | other),
        (tensor & other, numbers & other),
        (~tensor, ~numbers),
        (tensor + y, numbers + other),
        (tensor << 3, numbers << 3),
        (tensor >> 2, numbers >> 2),
    ]:
        assert torch.equal(actual.get_plain_text().long(), expected)
    (secret,) = share(crypten, [X])
    close(secret.to(binary).to(crypten.mpc.arithmetic), X)


@COMPARISONS.add
def wraps(crypten: Any) -> None:
    """How often the parties' shares of a small number wrap around."""

    (x,) = share(crypten, [X])
    shares = crypten.communicator.get().all_gather(x.share)
    counted = crypten.mpc.primitives.beaver.wraps(x._tensor)
    assert torch.equal(counted.reveal(), crypten.common.util.count_wraps(shares))
