"""Checks of everything that only moves entries: exact."""

from __future__ import annotations

from typing import Any

import torch
from checking import UNIT, Table, close, grid, share

from mpc.pairwise import PairCommunicator

SHAPES = Table()
same = SHAPES.same

X, Y, CUBE = grid(3, 5, seed=1), grid(3, 5, seed=2), grid(2, 3, 4, seed=3)
INDEX = torch.tensor([[0, 1, 2, 0, 1], [2, 0, 0, 1, 2]])

for name, move in {
    "index_number": lambda x: x[1],
    "index_slices": lambda x: x[:, 1:4:2],
    "index_tensor": lambda x: x[torch.tensor([2, 0])],
    "t": lambda x: x.t(),
    "transpose": lambda x: x.transpose(0, 1),
    "reshape": lambda x: x.reshape(5, 3),
    "view": lambda x: x.view(-1),
    "flatten": lambda x: x.flatten(),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "expand": lambda x: x[:1].expand(4, 5),
    "repeat": lambda x: x.repeat(2, 1),
    "narrow": lambda x: x.narrow(1, 1, 3),
    "flip": lambda x: x.flip(1),
    "roll": lambda x: x.roll(2, 1),
    "split": lambda x: x.split(2, dim=1),
    "split_by_sizes": lambda x: x.split([1, 4], dim=1),
    "unbind": lambda x: x.unbind(dim=0),
    "unfold": lambda x: x.unfold(1, 3, 1),
    "trace": lambda x: x[:, :3].trace(),
    "sum": lambda x: x.sum(),
    "sum_along": lambda x: x.sum(1),
    "sum_keepdim": lambda x: x.sum(dim=0, keepdim=True),
    "cumsum": lambda x: x.cumsum(1),
    "index_select": lambda x: x.index_select(1, torch.tensor([4, 0, 0])),
    "take": lambda x: x.take(torch.tensor([0, 7, 14])),
    "gather": lambda x: x.gather(0, INDEX),
    "clone": lambda x: x.clone(),
    "detach": lambda x: x.detach(),
}.items():
    same(name, move, X)
same("permute", lambda x: x.permute(2, 0, 1), CUBE)
same("sum_of_two_dimensions", lambda x: x.sum((0, 2)), CUBE)
same("flatten_from", lambda x: x.flatten(start_dim=1), CUBE)
same("mean", lambda x: x.mean(), X, bound=2 * UNIT)
same("mean_along", lambda x: x.mean(1), X, bound=2 * UNIT)
same("mean_keepdim", lambda x: x.mean(dim=0, keepdim=True), X, bound=2 * UNIT)
# The mean's two units, doubled and times at most eight, in every square; then the quotient's own two.
same("var", lambda x: x.var(), X, bound=36 * UNIT)
same("var_along", lambda x: x.var(1), X, bound=36 * UNIT)
# Each of up to four rounds of products cuts once and carries the errors of factors below 64 along.
same("prod", lambda x: x.prod(1), grid(3, 4, seed=1), bound=130 * UNIT)
same("scatter", lambda x, y: x.scatter(0, INDEX, y[:2]), X, Y)
same("scatter_add", lambda x, y: x.scatter_add(0, INDEX, y[:2]), X, Y)
same("index_add", lambda x, y: x.index_add(0, torch.tensor([0, 2, 0]), y), X, Y)
same(
    "index_add_public",
    lambda x: x.index_add(0, torch.tensor([0, 2, 0]), Y.to(x.dtype) if torch.is_tensor(x) else Y),
    X,
)
same("scatter_add_public", lambda x: x.scatter_add(0, INDEX, Y[:2]), X)
same("where_public", lambda x, y: x.where(Y > 0, y), X, Y)


@SHAPES.add
def where_secret(crypten: Any) -> None:
    x, y, condition = share(crypten, [X, Y, (X > Y).double()])
    expected = torch.where(X > Y, X, Y)
    close(x.where(condition, y), expected, 2 * UNIT)
    close(crypten.where(condition, x, y), expected, 2 * UNIT)
    close(crypten.where(X > Y, x, y), expected)


@SHAPES.add
def cat_and_stack(crypten: Any) -> None:
    x, y = share(crypten, [X, Y])
    for dim in (0, 1):
        close(crypten.cat([x, y], dim=dim), torch.cat([X, Y], dim))
        close(torch.cat([x, y], dim=dim), torch.cat([X, Y], dim))
        close(crypten.stack([x, y], dim=dim), torch.stack([X, Y], dim))


@SHAPES.add
def pad(crypten: Any) -> None:
    (x,) = share(crypten, [X])
    for sizes in [(1, 2), (0, 1, 2, 0)]:
        expected = torch.nn.functional.pad(X, sizes, value=1.5)
        close(x.pad(sizes, value=1.5), expected)
        close(x.pad(sizes, value=crypten.cryptensor(1.5)), expected)


@SHAPES.add
def assignment(crypten: Any) -> None:
    x, y = share(crypten, [X, Y])
    expected = X.clone()
    x[0], expected[0] = y[1], Y[1]
    x[1, 2], expected[1, 2] = 5.0, 5.0
    close(x, expected)
    x.set(Y.float())
    close(x, Y)


@SHAPES.add
def sizes(crypten: Any) -> None:
    (x,) = share(crypten, [CUBE])
    assert (x.size(), x.shape, x.dim(), x.nelement(), x.numel(), len(x)) == (
        CUBE.size(),
        CUBE.shape,
        3,
        24,
        24,
        2,
    )


@SHAPES.add
def inputs(crypten: Any) -> None:
    """What a secret can be made of, and its size told by its owner."""
    rank = crypten.communicator.get().get_rank()
    last = crypten.communicator.get().get_world_size() - 1
    close(crypten.cryptensor([1.5, -2.0]), [1.5, -2.0] and torch.tensor([1.5, -2.0]))
    close(crypten.cryptensor(X.float(), src=last), X)
    close(crypten.cryptensor(torch.tensor([3, -4])), torch.tensor([3, -4]))
    mine = X.float() if rank == last else torch.empty(())
    close(crypten.cryptensor(mine, src=last, broadcast_size=True), X)
    close(crypten.mpc.MPCTensor(X.float()), X)
    opened = crypten.cryptensor(X.float()).get_plain_text(dst=last)
    assert opened is None or opened.numel() == 0 or rank == last
    if rank == last:
        close(opened, X)


@SHAPES.add
def from_shares(crypten: Any) -> None:
    """Shares and tensors made from them."""
    (x,) = share(crypten, [X])
    again = crypten.mpc.MPCTensor.from_shares(x.share.clone(), ptype=crypten.mpc.arithmetic)
    close(again, X)
    layer = crypten.nn.Linear(5, 3).encrypt()
    layer.set_parameter_from_shares("weight", x.share.clone())
    close(layer.weight, X)


@SHAPES.add
def statistics(crypten: Any) -> None:
    """CrypTen's counters of rounds and bytes, from their last reset."""
    communicator = crypten.communicator.get()
    (x,) = share(crypten, [X])
    crypten.reset_communication_stats()
    assert communicator.get_communication_stats() == {"rounds": 0, "bytes": 0}
    x.get_plain_text()
    stats, others = communicator.get_communication_stats(), communicator.get_world_size() - 1
    assert stats["rounds"] == min(others, 1)
    # A third party that deals has no share to send.
    ways = 1 if crypten.mpc.get_default_provider().deals else 2
    receivers = others if ways == 1 or not isinstance(communicator, PairCommunicator) else others - 0.5
    assert stats["bytes"] >= ways * receivers * 8 * X.numel()
    crypten.print_communication_stats()


@SHAPES.add
def control_flow_is_refused(crypten: Any) -> None:
    (x,) = share(crypten, [X])
    for use in (lambda: bool(x), lambda: [1][0] if x else 0, lambda: x and 1):
        try:
            use()
        except RuntimeError:
            continue
        raise AssertionError("a secret decided a branch")


@SHAPES.add
def shares_are_not_shown(crypten: Any) -> None:
    x = crypten.cryptensor(X.float())
    for shown in (repr(x), str(x), repr(x._tensor), repr(x.to(crypten.mpc.binary)._tensor)):
        assert "HIDDEN" in shown, shown
        assert str(abs(int(x.share.reshape(-1)[0]))) not in shown, shown
