"""Checks of CrypTen's autograd: values and gradients of every differentiable operation, against torch's."""

from __future__ import annotations

from typing import Any

import torch
from checking import UNIT, Table, close, grid, share

GRADIENTS = Table()
gradient = GRADIENTS.gradient
F = torch.nn.functional

X, Y, ROW = grid(3, 5, seed=1), grid(3, 5, seed=2), grid(5, seed=3)
CUBE = grid(2, 3, 4, seed=4)
POSITIVE = grid(3, 5, seed=5, low=0.5, high=4.0)
OTHER = grid(3, 5, seed=6, low=0.5, high=4.0)
INDEX = torch.tensor([[0, 1, 2, 0, 1], [2, 0, 0, 1, 2]])


def named(method: str, *args: Any, **options: Any) -> Any:
    return lambda x: getattr(x, method)(*args, **options)


# Moving and adding is exact; sums of gradients over broadcast dimensions as well.
for name, move in {
    "t": named("t"),
    "transpose": named("transpose", 0, 1),
    "reshape": named("reshape", 5, 3),
    "view": named("view", 15),
    "flatten": named("flatten"),
    "unsqueeze": named("unsqueeze", 1),
    "narrow": named("narrow", 1, 1, 3),
    "flip": named("flip", 1),
    "roll": named("roll", 2, 1),
    "index": lambda x: x[1:, 2],
    "index_twice": lambda x: x[torch.tensor([2, 0, 2])],
    "take_twice": named("take", torch.tensor([0, 7, 7])),
    "index_select": named("index_select", 1, torch.tensor([4, 0, 0])),
    "take": named("take", torch.tensor([0, 7, 14])),
    "gather": named("gather", 0, INDEX),
    "neg": named("neg"),
    "clone": named("clone"),
    "sum": named("sum"),
    "sum_along": named("sum", 1),
    "cumsum": named("cumsum", 1),
    "add_number": lambda x: x + 1.5,
    "reverse_subtraction": lambda x: 1.5 - x,
    "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "trace": lambda x: x[:, :3].trace(),
}.items():
    gradient(name, move, X, bound=UNIT)
gradient("permute", named("permute", 2, 0, 1), CUBE, bound=0.0)
gradient("add", lambda x, y: x + y, X, ROW, bound=0.0)
gradient("sub", lambda x, y: x - y, ROW, X, bound=0.0)
gradient("cat", lambda x, y: torch.cat([x, y], dim=1), X, Y, bound=0.0)
gradient("stack", lambda x, y: torch.stack([x, y]), X, Y, bound=0.0)
gradient("pad", lambda x: x.pad((1, 2)) if not torch.is_tensor(x) else F.pad(x, (1, 2)), X, bound=0.0)

# Products: a unit for each cut, times the factors of at most four that follow, summed over the broadcast.
gradient("mul", lambda x, y: x * y, X, ROW, bound=4 * UNIT)
gradient("mul_number", lambda x: x * 0.375, X, bound=UNIT)
gradient("square", named("square"), X, bound=2 * UNIT)
gradient("matmul", lambda x, y: x.matmul(y), X, grid(5, 2, seed=7), bound=UNIT)
gradient("matmul_vectors", lambda x, y: x.matmul(y), X, ROW, bound=UNIT)
gradient("dot", lambda x, y: x.dot(y), ROW, grid(5, seed=8), bound=5 * UNIT)
gradient("ger", lambda x, y: x.ger(y), grid(4, seed=1), grid(3, seed=2), bound=4 * UNIT)
gradient("pow_5", lambda x: x.pow(5), X / 2, bound=2**8 * UNIT)
gradient("pow", lambda x: x.pow(3), X / 2, bound=16 * UNIT)
gradient(
    "polynomial",
    lambda x: (
        x.polynomial(torch.tensor([0.5, -2.0, 0.25]))
        if not torch.is_tensor(x)
        else 0.5 * x - 2 * x**2 + 0.25 * x**3
    ),
    X / 2,
    bound=24 * UNIT,
)
gradient("mean", named("mean"), X, bound=2 * UNIT)
gradient("mean_along", named("mean", 1), X, bound=2 * UNIT)
gradient("var", named("var", 1), X, bound=36 * UNIT)
gradient("div_number", lambda x: x / 3, X, bound=2 * UNIT)
gradient("div_tensor", lambda x: x / torch.tensor([1, 2, 5, 7, 3]), X, bound=2 * UNIT)

# Selections: exact choices of values or of gradients, a unit for each product with a bit.
DISTINCT = torch.randperm(15, generator=torch.Generator().manual_seed(1)).reshape(3, 5).double() - 7.25
gradient("relu", named("relu"), X, bound=UNIT)
gradient("abs", named("abs"), X, bound=UNIT)
gradient(
    "hardtanh",
    lambda x: x.hardtanh(-1, 2) if not torch.is_tensor(x) else F.hardtanh(x, -1, 2),
    X,
    bound=3 * UNIT,
)
gradient("relu6", lambda x: x.relu6() if not torch.is_tensor(x) else F.relu6(x), 2 * X, bound=3 * UNIT)
gradient("max", named("max"), DISTINCT, bound=5 * UNIT)
gradient("min", named("min"), DISTINCT, bound=5 * UNIT)
gradient("max_along", lambda x: x.max(1)[0], DISTINCT, bound=5 * UNIT)
gradient("min_along", lambda x: x.min(dim=0)[0], DISTINCT, bound=5 * UNIT)

# Approximated functions: two percent, and see the table of approximations for their values.
PERCENT = 0.02
gradient("reciprocal", named("reciprocal"), POSITIVE, bound=32 * UNIT)
gradient("division_by_a_secret", lambda x, y: x / y, X, POSITIVE, bound=2**8 * UNIT)
gradient("reverse_division", lambda x: 2.0 / x, POSITIVE, bound=2**7 * UNIT)
gradient("exp", named("exp"), X / 4, bound=PERCENT)
gradient("log", named("log"), POSITIVE, bound=PERCENT * 1.5)
gradient("sqrt", named("sqrt"), POSITIVE, bound=PERCENT)
gradient("sigmoid", named("sigmoid"), X, bound=PERCENT)
gradient("tanh", named("tanh"), X / 2, bound=PERCENT)
gradient("sin", named("sin"), X, bound=PERCENT * 4)
gradient("cos", named("cos"), X, bound=PERCENT * 4)
gradient("erf", lambda x: x.erf(), X / 4, bound=PERCENT)
gradient("softmax", lambda x: x.softmax(1), X, bound=PERCENT)
gradient("log_softmax", lambda x: x.log_softmax(1), X, bound=4 * PERCENT)
gradient("pos_pow", lambda x: x**1.5 if torch.is_tensor(x) else x.pos_pow(1.5), POSITIVE, bound=10 * PERCENT)
gradient("norm", lambda x: x.norm(), POSITIVE, bound=4 * PERCENT)
gradient(
    "cosine_similarity",
    lambda x, y: x.cosine_similarity(y) if not torch.is_tensor(x) else F.cosine_similarity(x, y),
    POSITIVE,
    OTHER,
    bound=PERCENT,
)

IMAGE, KERNEL = grid(2, 4, 6, 6, seed=1, low=-2, high=2), grid(4, 4, 3, 3, seed=2, low=-1, high=1)
SIGNAL, FILTER = grid(2, 4, 9, seed=3, low=-2, high=2), grid(4, 4, 3, seed=4, low=-1, high=1)
for index, options in enumerate(
    [{}, {"padding": 1}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"groups": 4}]
):
    for conv, x, w in [("conv1d", SIGNAL, FILTER), ("conv2d", IMAGE, KERNEL)]:
        kernel = w[:, :1] if "groups" in options else w

        def convolve(x: Any, w: Any, conv: str = conv, options: Any = options) -> Any:
            return getattr(F, conv)(x, w, **options) if torch.is_tensor(x) else getattr(x, conv)(w, **options)

        gradient(f"{conv}_{index}", convolve, x, kernel, bound=2 * UNIT)
for index, options in enumerate([{"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}]):

    def average(x: Any, options: Any = options) -> Any:
        return F.avg_pool2d(x, **options) if torch.is_tensor(x) else x.avg_pool2d(**options)

    # The gradient's factor 1 / 9 is rounded, and up to four windows add up.
    gradient(f"avg_pool2d_{index}", average, IMAGE, bound=8 * UNIT)

    def largest(x: Any, options: Any = options) -> Any:
        if torch.is_tensor(x):
            return F.max_pool2d(x, **options)
        options = {**options, "kernel_size": (options["kernel_size"],) * 2}
        return x.max_pool2d(**options)

    pixels = (
        torch.randperm(144, generator=torch.Generator().manual_seed(2)).reshape(2, 2, 6, 6).double() / 8 + 1
    )
    gradient(f"max_pool2d_{index}", largest, pixels, bound=9 * UNIT)


@GRADIENTS.add
def batch_norm(crypten: Any) -> None:
    """Training and evaluation, with the running statistics."""
    x, weight, bias = grid(8, 3, 4, seed=1), grid(3, seed=2, low=0.5, high=2), grid(3, seed=3)
    for training in (True, False):
        mean, variance = torch.zeros(3), torch.ones(3)
        secrets = share(crypten, [x, weight, bias], requires_grad=True)
        leaves = [one.clone().requires_grad_() for one in (x, weight, bias)]
        statistics = share(crypten, [mean, variance])
        result = secrets[0].batchnorm(
            *secrets[1:], running_mean=statistics[0], running_var=statistics[1], training=training
        )
        clear_mean, clear_variance = mean.double(), variance.double()
        expected = F.batch_norm(leaves[0], clear_mean, clear_variance, *leaves[1:], training=training)
        close(result, expected, 0.02 * 4)
        weights = grid(*expected.shape, seed=4, low=-1, high=1)
        result.backward(crypten.cryptensor(weights))
        expected.backward(weights)
        close(secrets[0].grad, leaves[0].grad, 0.05)
        close(secrets[2].grad, leaves[2].grad, UNIT)
        close(secrets[1].grad, leaves[1].grad, 0.02 * float(leaves[1].grad.abs().max() + 1))
        close(statistics[0], clear_mean, 4 * UNIT)


@GRADIENTS.add
def losses(crypten: Any) -> None:
    """Cross entropies and their gradients, by CrypTen's functions on tensors."""
    probability, target = grid(6, seed=1, low=0.125, high=0.875), (grid(6, seed=2) > 0).double()
    logits = grid(4, 3, seed=3)
    classes = F.one_hot(torch.tensor([0, 2, 1, 1])).double()
    for name, x, y, clear in [
        ("binary_cross_entropy", probability, target, F.binary_cross_entropy),
        (
            "binary_cross_entropy_with_logits",
            logits,
            (grid(4, 3, seed=4) > 0).double(),
            F.binary_cross_entropy_with_logits,
        ),
        ("cross_entropy", logits, classes, F.cross_entropy),
    ]:
        secret, wanted = crypten.cryptensor(x, requires_grad=True), crypten.cryptensor(y)
        leaf = x.clone().requires_grad_()
        result, expected = getattr(secret, name)(wanted), clear(leaf, y)
        # Two percent of logarithms of up to 100, averaged.
        close(result.squeeze(), expected, 0.1)
        result.backward()
        expected.backward()
        close(secret.grad, leaf.grad, 0.01)


@GRADIENTS.add
def losses_without_value(crypten: Any) -> None:
    """skip_forward leaves out the loss itself, which costs most, and has the same gradient."""
    target = (grid(6, seed=2) > 0).double()
    for name, x in [
        ("binary_cross_entropy", grid(6, seed=1, low=0.125, high=0.875)),
        ("binary_cross_entropy_with_logits", grid(6, seed=1)),
    ]:
        secret, leaf = crypten.cryptensor(x, requires_grad=True), x.clone().requires_grad_()
        getattr(secret, name)(crypten.cryptensor(target), skip_forward=True).backward()
        getattr(F, name)(leaf, target).backward()
        # 64 times the roundings of the reciprocal of 64 x, at most 4 + 56, over six entries.
        close(secret.grad, leaf.grad, 64 * 60 / 6 * UNIT)


@GRADIENTS.add
def rappor_loss(crypten: Any) -> None:
    """Binary cross entropy of labels that were flipped with probability 1 - alpha."""
    logits, target, alpha = grid(6, seed=1, low=-2, high=2), (grid(6, seed=2) > 0).double(), 0.75
    secret, leaf = crypten.cryptensor(logits, requires_grad=True), logits.clone().requires_grad_()
    flipped = alpha * leaf.sigmoid() + (1 - alpha) * (1 - leaf.sigmoid())
    result = secret.rappor_loss(crypten.cryptensor(target), alpha)
    expected = F.binary_cross_entropy(flipped, target)
    close(result.squeeze(), expected, 0.1)
    result.backward()
    expected.backward()
    close(secret.grad, leaf.grad, 0.01)


@GRADIENTS.add
def chains_and_branches(crypten: Any) -> None:
    """A value used twice gets both gradients; detached ones and those under no_grad get none."""
    x, y = share(crypten, [X, Y], requires_grad=True)
    leaves = [one.clone().requires_grad_() for one in (X, Y)]
    ((x * y + x).square().sum() + (x.detach() * y).sum()).backward()
    ((leaves[0] * leaves[1] + leaves[0]).square().sum() + (leaves[0].detach() * leaves[1]).sum()).backward()
    close(x.grad, leaves[0].grad, 64 * UNIT)
    close(y.grad, leaves[1].grad, 64 * UNIT)
    with crypten.no_grad():
        assert not (x * y).requires_grad
    assert (x * y).requires_grad
    try:
        x.add_(1)
    except RuntimeError:
        return
    raise AssertionError("an in-place change of a tensor with gradient was accepted")
