"""Products by dealt ones: exact modulo 2^64, gradients as transposes, openings that tell nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sharing import dealt

import mpc
from mpc.dealer.tuples import Request
from mpc.protocols.product import Factor, layer, multiply, pair
from mpc.randomness import Stream

LAYERS: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("matmul", (4, 3), (3, 5), {}),
    ("matmul", (1, 1), (1, 1), {}),
    ("conv2d", (2, 3, 8, 7), (4, 3, 3, 2), {}),
    ("conv2d", (2, 3, 8, 7), (4, 3, 3, 3), {"stride": (2, 3), "padding": (1, 0)}),
    ("conv2d", (1, 2, 9, 9), (3, 2, 3, 3), {"stride": 2, "padding": 2, "dilation": 2}),
]
BOTH = (True, True)
UNIT = 2.0**-16
FRAME = 8


def words(*size: int, seed: int) -> torch.Tensor:
    return Stream(bytes([seed]) * 32).words(size)


def value_pairs(x: tuple[int, ...], y: tuple[int, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Random words, all ones, and the two ends of the range."""
    return [
        (words(*x, seed=1), words(*y, seed=2)),
        (torch.full(x, -1), torch.full(y, -1)),
        (torch.full(x, -(2**63)), torch.full(y, 2**63 - 1)),
    ]


def request(op: str, x: tuple[int, ...], y: tuple[int, ...], options: Any, wanted: Any = BOTH) -> Request:
    return Request("layer", (x, y), op, (*sorted(options.items()), ("wanted", wanted)))


@pytest.mark.parametrize(("op", "x_size", "y_size", "options"), LAYERS)
def test_gradients_are_the_transposes(op: str, x_size: Any, y_size: Any, options: Any) -> None:
    """<g, f(x, y)> = <left(g, y), x> = <right(x, g), y>, exactly, which defines the transposes."""
    own = layer(op, x_size, y_size, options)
    for x, y in value_pairs(x_size, y_size):
        z = own.forward(x, y)
        assert torch.equal(z, getattr(torch, op)(x, y, **options))
        g = words(*z.shape, seed=3)
        left, right = own.left(g, y), own.right(x, g)
        assert left.shape == x.shape and right.shape == y.shape
        assert (g * z).sum() == (left * x).sum() == (right * y).sum()


def check_products(op: str, x: torch.Tensor, y: torch.Tensor, options: Any, parties: int, seed: int) -> None:
    """The product and both gradients, from one dealt tuple, are those of the values."""
    own = layer(op, tuple(x.shape), tuple(y.shape), options)
    shares = dealt(request(op, tuple(x.shape), tuple(y.shape), options), parties, seed)
    masks = [sum(part) for part in zip(*shares, strict=True)]
    g = words(*own.forward(x, y).shape, seed=3)
    opened = [value - mask for value, mask in zip((x, y, g), masks, strict=False)]
    results = [torch.tensor(0)] * 3
    for rank, (a, b, c, *products) in enumerate(shares):
        fx, fy, fg = (Factor(*both) for both in zip(opened, (a, b, c), strict=True))
        for place, (f, u, v) in enumerate([(own.forward, fx, fy), (own.left, fg, fy), (own.right, fx, fg)]):
            results[place] = results[place] + multiply(f, u, v, products[place], rank == 0)
    exact = (own.forward(x, y), own.left(g, y), own.right(x, g))
    for result, expected in zip(results, exact, strict=True):
        assert torch.equal(result, expected)


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize(("op", "x_size", "y_size", "options"), LAYERS)
def test_shares_add_up_to_the_products(op: str, x_size: Any, y_size: Any, options: Any, parties: int) -> None:
    """One dealt tuple gives the product and both gradients of values from every end of the range."""
    for x, y in value_pairs(x_size, y_size):
        check_products(op, x, y, options, parties, 0)


EDGES = [0, 1, -1, 2**16, -(2**16), 2**32, 2**62, 2**63 - 1, -(2**63)]
WORDS = st.one_of(st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1))


@given(st.lists(WORDS, min_size=12, max_size=12), st.integers(0, 250), st.integers(1, 3))
def test_products_of_any_words_under_any_mask(numbers: list[int], seed: int, parties: int) -> None:
    x, y = torch.tensor(numbers[:6]), torch.tensor(numbers[6:])
    check_products("matmul", x.reshape(2, 3), y.reshape(3, 2), {}, parties, seed)


@pytest.mark.parametrize("value", [0, 1, -(2**63)])
def test_what_is_opened_is_uniform_whatever_the_values(value: int) -> None:
    """Chi-square of the bytes of x, y and g under their masks, 250 seeds, 255 degrees: bounds at 2^-40."""
    opened: list[list[torch.Tensor]] = [[], [], []]
    for seed in range(250):
        shares = dealt(request("matmul", (16, 16), (16, 16), {}), 2, seed)
        for place, parts in zip(opened, zip(*(own[:3] for own in shares), strict=True), strict=True):
            place.append(value - sum(parts))
    for place in opened:
        for octets in torch.stack(place).numpy().view(np.uint8).reshape(-1, 8).T:
            expected = octets.size / 256
            statistic = float(((np.bincount(octets, minlength=256) - expected) ** 2 / expected).sum())
            assert 110 < statistic < 470


def test_only_wanted_gradients_are_dealt() -> None:
    sizes = [
        [tuple(part.shape) for part in dealt(request("matmul", (4, 3), (3, 5), {}, wanted), 2)[0]]
        for wanted in ((True, True), (True, False), (False, True))
    ]
    masks = [(4, 3), (3, 5), (4, 5), (4, 5)]
    assert sizes == [[*masks, (4, 3), (3, 5)], [*masks, (4, 3)], [*masks, (3, 5)]]


@pytest.mark.parametrize(
    "bad",
    [
        Request("layer", ((4, 3), (3, 5)), "matmul"),
        request("matmul", (4, 3), (3, 5), {}, (2, 0)),
        request("matmul", (4, 3), (2, 5), {}),
        request("matmul", (2, 4, 3), (3, 5), {}),
        request("mul", (3, 5), (3, 5), {}),
        request("conv2d", (2, 3, 8, 7), (4, 3, 3, 2), {"stride": 0}),
        request("conv2d", (2, 3, 8, 7), (4, 3, 3, 2), {"stride": (1,)}),
        request("conv2d", (2, 3, 8, 7), (4, 3, 3, 2), {"padding": -1}),
        request("conv2d", (2, 3, 8, 7), (4, 3, 3, 2), {"groups": 2}),
        request("conv2d", (2, 3, 8, 7), (4, 2, 3, 2), {}),
        request("conv2d", (2, 3, 2, 2), (4, 3, 3, 3), {}),
        request("matmul", (1 << 14, 1), (1, 1 << 14), {}),
    ],
)
def test_bad_requests_are_refused(bad: Request) -> None:
    with pytest.raises(ValueError, match="not a request"):
        Request.from_bytes(bad.to_bytes())


def test_pairs() -> None:
    assert pair(3) == pair((3, 3)) == pair([3, 3])
    for bad in (-1, (1, 2, 3), (1.5, 2)):
        with pytest.raises(ValueError, match="whole numbers"):
            pair(bad)


def sixteenths(*size: int, seed: int) -> torch.Tensor:
    """Numbers in [-2, 2) whose products are exact in fixed point."""
    return (words(*size, seed=seed) % 64).double() / 16 - 2


CALLS: dict[str, tuple[torch.Tensor, torch.Tensor, dict[str, Any]]] = {
    "matmul": (sixteenths(6, 4, seed=4), sixteenths(4, 3, seed=5), {}),
    "conv2d": (
        sixteenths(2, 3, 7, 8, seed=6),
        sixteenths(4, 3, 3, 3, seed=7),
        {"stride": 2, "padding": 1},
    ),
}


def gradients_of(party: mpc.Party) -> dict[str, Any]:
    """Gradients, by one tape twice or of the second factor only, and rounds and bytes there and back."""
    found: dict[str, Any] = {}
    for name, (x, y, options) in CALLS.items():
        shared = [party.secret(value if party.rank == 0 else None, 0, value.shape) for value in (x, y)]
        for needs, key in (((True, True), "both"), ((False, True), "second")):
            for tensor, one in zip(shared, needs, strict=True):
                tensor.requires_grad = one
            before = party.cost()
            z = getattr(shared[0], name)(shared[1], **options)
            forward = party.cost() - before
            slope = party.secret(torch.ones(z.size()) if party.rank == 0 else None, 0, z.size())
            before = party.cost()
            first = z.grad_fn.backward(z.ctx, slope)
            back = party.cost() - before
            again = z.grad_fn.backward(z.ctx, slope + slope) if key == "both" else ()
            opened = [None if one is None else party.reveal(one) for one in (*first, *again)]
            found[f"{name} {key}"] = (
                opened,
                (forward.rounds, back.rounds),
                forward.bytes_sent,
                back.bytes_sent,
            )
    return found


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def runs(request: pytest.FixtureRequest) -> tuple[int, list[dict[str, Any]]]:
    return request.param, mpc.run_local(gradients_of, request.param)


@pytest.mark.parametrize("name", CALLS)
def test_gradients_between_parties(runs: tuple[int, list[dict[str, Any]]], name: str) -> None:
    """Within a unit of torch's; a second derivative on the same tape gets masks of its own."""
    _, found = runs
    x, y, options = CALLS[name]
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    z = getattr(torch, name)(x, y, **options)
    z.sum().backward()
    assert x.grad is not None and y.grad is not None
    for own in found:
        left, right, *twice = own[f"{name} both"][0]
        for result, expected in ((left, x.grad), (right, y.grad)):
            assert (result - expected).abs().max() < 2 * UNIT
        for result, expected in zip(twice, (x.grad, y.grad), strict=True):
            assert (result - 2 * expected).abs().max() < (2 + z.size(0)) * UNIT
        nothing, right = own[f"{name} second"][0]
        assert nothing is None and (right - y.grad).abs().max() < 2 * UNIT


@pytest.mark.parametrize("name", CALLS)
def test_counts(runs: tuple[int, list[dict[str, Any]]], name: str) -> None:
    """There: both factors; back: the gradient. No product is cut before it is read."""
    parties, found = runs
    x, y, options = CALLS[name]
    value = getattr(torch, name)(x, y, **options).numel()
    for own in found:
        for key in ("both", "second"):
            _, rounds, there, back = own[f"{name} {key}"]
            assert rounds == (1, 1)
            assert there == (parties - 1) * (8 * (x.numel() + y.numel()) + FRAME)
            assert back == (parties - 1) * (8 * value + FRAME)
