"""Products and truncations of three parties without a helper: exact at every word, and uniform to watch."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpc.protocols.product import Factor, Product
from mpc.protocols.replicated import (
    THIRD,
    deal_truncation,
    from_octets,
    octets_for,
    product,
    third_mask,
    to_octets,
)
from mpc.protocols.truncate import OFFSET, TruncationMask, hide, unmask
from mpc.randomness import Stream

EDGES = [0, 1, -1, 2**16, -(2**16), 2**32 + 1, 2**62 - 1, -(2**62), 2**63 - 1, -(2**63)]
# By Chernoff, exp(-(255 / 2) (t - log(1 + t))) for t = 470 / 255 - 1 is below 2^-42; and the keys are fixed.
CHI_SQUARE_OF_256 = 470.0


def words(size: tuple[int, ...], seed: int) -> torch.Tensor:
    return Stream(bytes([seed % 251, seed // 251 % 251]) * 16).words(size)


def replicated(x: torch.Tensor, seed: int) -> list[Factor]:
    """Every party's part of x, which parties 0 and 1 share and make replicated."""
    size = tuple(x.shape)
    x1, a0, a1 = (words(size, 3 * seed + part) for part in range(3))
    e = (x - x1 - a0) + (x1 - a1)
    return [Factor(e, a0), Factor(e, a1), Factor(torch.zeros_like(e), a0 + a1)]


def multiplied(f: Product, x: torch.Tensor, y: torch.Tensor, seed: int = 0) -> torch.Tensor:
    xs, ys = replicated(x, 2 * seed), replicated(y, 2 * seed + 1)
    shares = [product(f, *both, rank) for rank, both in enumerate(zip(xs, ys, strict=True))]
    return shares[0] + shares[1] + shares[2]


@pytest.mark.parametrize("seed", range(5))
def test_products_of_edge_words_are_exact(seed: int) -> None:
    x, y = torch.tensor(EDGES).unsqueeze(1), torch.tensor(EDGES).unsqueeze(0)
    assert torch.equal(multiplied(torch.mul, x, y, seed), x * y)


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6),
    st.integers(0, 1000),
)
def test_matrix_products_of_any_words_are_exact(x: list[int], y: list[int], seed: int) -> None:
    left, right = torch.tensor(x).reshape(2, 3), torch.tensor(y).reshape(3, 2)
    assert torch.equal(multiplied(torch.matmul, left, right, seed), left @ right)


@pytest.mark.parametrize(
    ("name", "x", "y", "options"),
    [
        ("conv1d", (2, 3, 7), (4, 3, 2), {"stride": 2}),
        ("conv2d", (2, 3, 6, 5), (4, 3, 2, 2), {"padding": 1}),
        ("conv_transpose1d", (2, 4, 3), (4, 3, 2), {"stride": 2}),
        ("conv_transpose2d", (2, 4, 3, 3), (4, 3, 2, 2), {"stride": 2, "padding": 1}),
    ],
)
def test_convolutions_are_exact(name: str, x: Any, y: Any, options: dict[str, int]) -> None:
    f = partial(getattr(torch, name), **options)
    maps, kernels = words(x, 70), words(y, 71)
    assert torch.equal(multiplied(f, maps, kernels), f(maps, kernels))


def truncated(x: torch.Tensor, divisor: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """The quotient; and what party 0 sees: what is opened, and what the third party sends."""
    size = tuple(x.shape)
    x1, x2, r0, r1, *second = (words(size, 6 * seed + part) for part in range(6))
    octets = to_octets(deal_truncation(r0 + r1, x2, divisor, (second[0], second[1])), divisor)
    assert octets.nelement() == octets_for(x.numel(), divisor)
    masks = [
        TruncationMask(r0, *from_octets(octets, x.shape, divisor)),
        TruncationMask(r1, second[0], second[1]),
        third_mask(x2),
    ]
    hidden = [hide(s, m, k == 0) for k, (s, m) in enumerate(zip((x - x1 - x2, x1, x2), masks, strict=True))]
    assert not hidden[THIRD].any()
    c = hidden[0] + hidden[1]
    shares = [unmask(c, divisor, mask, k == 0) for k, mask in enumerate(masks)]
    assert not shares[THIRD].any()
    return shares[0] + shares[1], c, from_octets(octets, x.shape, divisor)


INSIDE = [word for word in EDGES if -(2**62) <= word < 2**62]


@pytest.mark.parametrize("divisor", [2, 2**8, 2**16, 2**17, 2**32, 2**33, 2**61])
def test_truncation_is_right_within_one_unit_at_every_magnitude(divisor: int) -> None:
    for seed in range(40):
        quotient, _, _ = truncated(torch.tensor(INSIDE), divisor, seed)
        for value, result in zip(INSIDE, quotient.tolist(), strict=True):
            assert abs(result * divisor - value) < divisor, (value, result)


@given(st.integers(-(2**62), 2**62 - 1), st.integers(2, 2**62 - 1), st.integers(0, 5000))
def test_any_value_and_divisor(value: int, divisor: int, seed: int) -> None:
    quotient, _, _ = truncated(torch.tensor([value]), divisor, seed)
    assert abs(int(quotient[0]) * divisor - value) < 2 * divisor


@given(st.lists(st.integers(-(2**62), 2**62 - 1), min_size=1, max_size=8), st.integers(1, 61))
def test_the_quotient_is_the_helpers_for_the_same_mask(values: list[int], bits: int) -> None:
    """The slow twin: mpc.protocols.truncate by one party with the whole of the mask."""
    x, divisor = torch.tensor(values), 1 << bits
    quotient, c, _ = truncated(x, divisor, seed=bits)
    r = c - x - OFFSET
    floor = torch.tensor([(int(word) % 2**64) // divisor for word in r])
    whole = TruncationMask(r, floor, (r < 0).long())
    assert torch.equal(quotient, unmask(hide(x, whole, first=True), divisor, whole, first=True))


def test_a_million_large_values_without_one_failure() -> None:
    x = Stream(b"values to divide" * 2).bits((1_000_000,), 62)
    quotient, _, _ = truncated(x, 2**16)
    assert int((quotient * 2**16 - x).abs().max()) < 2**16


@pytest.mark.parametrize(
    ("divisor", "entry_bytes"), [(2, 10), (2**16, 10), (2**32, 12), (2**61, 16), (3, 16)]
)
def test_what_is_dealt_is_as_short_as_the_divisor_allows(divisor: int, entry_bytes: int) -> None:
    assert octets_for(7, divisor) == 7 * entry_bytes


@pytest.mark.parametrize("value", [0, 1, -(2**62), 2**62 - 1])
def test_what_party_0_sees_is_uniform(value: int) -> None:
    """Given its own parts of all masks: what is opened, and both parts of what it is dealt, byte by byte."""
    x = torch.full((1 << 16,), value)
    e = replicated(x, seed=9)[0].opened
    _, c, dealt = truncated(x, 2**16, seed=9)
    for seen in (e, c, dealt.quotient):
        for byte in (0, 1, 7):
            assert chi_square(seen.numpy().view(np.uint8).reshape(-1, 8)[:, byte]) < CHI_SQUARE_OF_256
    top_bit = dealt.top_bit.numpy().astype(np.uint16).view(np.uint8).reshape(-1, 2)
    for byte in (0, 1):
        assert chi_square(top_bit[:, byte]) < CHI_SQUARE_OF_256
    # Pairs of what is seen, as one byte of four bits from each.
    pairs = [
        (left.numpy().view(np.uint64) >> np.uint64(60), right.numpy().view(np.uint64) >> np.uint64(60))
        for left, right in [(e, c), (c, dealt.quotient), (e, dealt.quotient)]
    ]
    for left, right in pairs:
        assert chi_square((left << np.uint64(4) | right).astype(np.uint8)) < CHI_SQUARE_OF_256


def chi_square(octets: np.ndarray[Any, Any]) -> float:
    counts = np.bincount(octets, minlength=256)
    expected = octets.size / 256
    return float(((counts - expected) ** 2 / expected).sum())


def test_without_the_words_of_party_1_it_would_not_be() -> None:
    """The test of uniformity can fail: the quotient itself has zeros in its top bytes."""
    _, _, dealt = truncated(torch.zeros(1 << 16, dtype=torch.long), 2**16, seed=9)
    second = words((1 << 16,), 6 * 9 + 4)
    clear = (dealt.quotient + second).numpy().view(np.uint8).reshape(-1, 8)[:, 7]
    assert chi_square(clear) > CHI_SQUARE_OF_256
