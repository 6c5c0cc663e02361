"""Dealt randomness: every kind satisfies its equation, shapes need no data, bad requests are refused."""

import functools
import itertools
import operator

import msgpack
import pytest
import torch

from mpc.dealer.tuples import (
    MAX_WORDS,
    Request,
    corrections,
    count_wraps,
    derived_sizes,
    draw_derived,
    draw_free,
)
from mpc.randomness import Stream


def dealt(request: Request, parties: int) -> list[list[torch.Tensor]]:
    """Every party's shares of all parts."""
    keys = [bytes([rank + 1]) * 32 for rank in range(parties)]
    streams = [Stream(key) for key in keys]
    shares = [draw_free(request, stream) for stream in streams]
    shares[0] += corrections(request, [Stream(key) for key in keys])
    for rank in range(1, parties):
        shares[rank] += draw_derived(request, streams[rank])
    return shares


def opened(shares: list[list[torch.Tensor]], part: int, bitwise: bool = False) -> torch.Tensor:
    return functools.reduce(operator.xor if bitwise else operator.add, [own[part] for own in shares])


PRODUCTS = [
    Request("product", ((4, 3), (4, 3)), "mul"),
    Request("product", ((4, 1), (1, 3)), "mul"),
    Request("product", ((4, 3), (3, 5)), "matmul"),
    Request("product", ((2, 3, 8), (4, 3, 3)), "conv1d", (("padding", 1),)),
    Request("product", ((2, 3, 8, 8), (4, 3, 3, 3)), "conv2d", (("stride", 2), ("padding", (1, 0)))),
    Request("product", ((2, 3, 8), (3, 4, 3)), "conv_transpose1d"),
    Request(
        "product", ((2, 3, 5, 5), (3, 4, 3, 3)), "conv_transpose2d", (("stride", 2), ("output_padding", 1))
    ),
]


@pytest.mark.parametrize("parties", [1, 2, 3])
@pytest.mark.parametrize("request_", PRODUCTS, ids=lambda request: f"{request.op}-{request.sizes}")
def test_product(request_: Request, parties: int) -> None:
    shares = dealt(request_, parties)
    a, b, c = (opened(shares, part) for part in range(3))
    assert torch.equal(c, getattr(torch, request_.op)(a, b, **dict(request_.options)))
    assert (tuple(c.shape),) == derived_sizes(request_)


SIZES = [(), (3,), (4,), (1,), (4, 3), (3, 4), (1, 3), (2, 4, 3), (1, 3, 4), (5, 2, 3, 4), (2, 0, 3), (3, 0)]


@pytest.mark.parametrize("op", ["mul", "matmul"])
def test_sizes_are_those_of_torch(op: str) -> None:
    """Every pair of shapes of 0 to 4 dimensions, refused where torch refuses it."""
    refused = 0
    for a, b in itertools.product(SIZES, SIZES):
        request = Request("product", (a, b), op)
        try:
            size = tuple(getattr(torch, op)(torch.zeros(a), torch.zeros(b)).shape)
        except RuntimeError:
            refused += 1
            with pytest.raises(ValueError, match="shape"):
                derived_sizes(request)
        else:
            assert derived_sizes(request) == (size,), request
    assert 0 < refused < len(SIZES) ** 2 / 1.2


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_other_kinds(parties: int) -> None:
    shares = dealt(Request("square", ((50,),)), parties)
    assert torch.equal(opened(shares, 1), opened(shares, 0) ** 2)
    shares = dealt(Request("and", ((50,), (3, 1))), parties)
    assert torch.equal(opened(shares, 2, True), opened(shares, 0, True) & opened(shares, 1, True))
    shares = dealt(Request("bit", ((500,),)), parties)
    assert torch.equal(opened(shares, 1), opened(shares, 0, True))
    assert set(opened(shares, 1).tolist()) == {0, 1}
    shares = dealt(Request("truncation", ((50,),), divisor=1000), parties)
    unsigned = [value % 2**64 for value in opened(shares, 0).tolist()]
    assert opened(shares, 1).tolist() == [value // 1000 for value in unsigned]
    assert opened(shares, 2).tolist() == [value >> 63 for value in unsigned]


@pytest.mark.parametrize("parties", [1, 2, 3])
def test_wraps_count_how_often_the_sum_leaves_the_range(parties: int) -> None:
    shares = dealt(Request("wraps", ((500,),)), parties)
    exact = [sum(own[0].tolist()[index] for own in shares) for index in range(500)]
    value = opened(shares, 0).tolist()
    assert opened(shares, 1).tolist() == [(x - y) // 2**64 for x, y in zip(exact, value, strict=True)]


def test_wraps_at_the_edges() -> None:
    low, high = -(2**63), 2**63 - 1
    assert count_wraps([torch.tensor([high, low, low, 0]), torch.tensor([1, -1, low, low])]).tolist() == [
        1,
        -1,
        -1,
        0,
    ]


def test_one_partys_shares_alone_say_nothing_about_the_product() -> None:
    """The first party's shares change in every bit when only the other party's key changes."""
    request = Request("square", ((1000,),))
    first = corrections(request, [Stream(bytes(32)), Stream(b"a" * 32)])[0]
    second = corrections(request, [Stream(bytes(32)), Stream(b"b" * 32)])[0]
    differing = sum(bin(x % 2**64).count("1") for x in (first ^ second).tolist()) / 64_000
    assert 0.48 < differing < 0.52


def test_requests_survive_the_wire() -> None:
    for request in PRODUCTS:
        assert Request.from_bytes(request.to_bytes()) == request


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (["triple", [[1]], "", [], 0], "kind 'triple' is none of"),
        (["square", [[1], [1]], "", [], 0], "takes 1 shapes, got 2"),
        (["square", [[-1]], "", [], 0], "non-negative"),
        (["square", [["8"]], "", [], 0], "non-negative"),
        (["product", [[2], [2]], "system", [], 0], "'system' is none of"),
        (["product", [[2, 2], [3, 2]], "matmul", [], 0], "not a request"),
        (["product", [[2], [2]], "mul", [["out", 1]], 0], "options"),
        (["truncation", [[2]], "", {}, 1], "divisor lies in"),
        (["square", [[MAX_WORDS]], "", [], 0], f"at most {MAX_WORDS} words"),
        (["square", [[1]], ""], "not a request"),
        ("square", "not a request"),
        (7, "not a request"),
    ],
)
def test_bad_requests_are_refused(content: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Request.from_bytes(msgpack.packb(content))


def test_bytes_that_are_no_message_are_refused() -> None:
    for data in (b"", b"\xc1", bytes(100), b"\x95\xa6square"):
        with pytest.raises(ValueError, match="not a request"):
            Request.from_bytes(data)
