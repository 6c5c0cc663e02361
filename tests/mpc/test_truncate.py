"""Division of shared numbers: right at every magnitude, also where dividing each share fails."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpc.dealer.tuples import Request, corrections, draw_derived, draw_free
from mpc.protocols.truncate import OFFSET, TruncationMask, hide, truncate
from mpc.randomness import Stream


def divide(x: torch.Tensor, divisor: int, parties: int, seed: int = 0) -> torch.Tensor:
    """Run the protocol with all parties in this process; the opened quotient."""
    keys = [bytes([seed % 251, rank]) * 16 for rank in range(parties)]
    request = Request("truncation", (tuple(x.shape),), divisor=divisor)
    streams = [Stream(key) for key in keys]
    masks = [draw_free(request, stream) for stream in streams]
    masks[0] += corrections(request, [Stream(key) for key in keys])
    for rank in range(1, parties):
        masks[rank] += draw_derived(request, streams[rank])
    sharing = Stream(bytes([255, seed % 251]) * 16)
    shares = [sharing.words(x.shape) for _ in range(parties - 1)]
    shares.append(x - sum(shares) if shares else x)
    opened = sum(
        share + mask[0] + (OFFSET if rank == 0 else 0)
        for rank, (share, mask) in enumerate(zip(shares, masks, strict=True))
    )
    parts = [
        truncate(share, divisor, TruncationMask(*mask), lambda _: opened, rank == 0)
        for rank, (share, mask) in enumerate(zip(shares, masks, strict=True))
    ]
    return sum(parts[1:], parts[0])


EXTREMES = [0, 1, -1, 2**16, -(2**16), 2**40, 2**52 - 1, -(2**52), 2**62 - 1, -(2**62)]


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("divisor", [2, 2**16, 2**30, 2**61])
def test_power_of_two_is_right_within_one_unit_at_every_magnitude(parties: int, divisor: int) -> None:
    for seed in range(50):
        quotient = divide(torch.tensor(EXTREMES), divisor, parties, seed)
        for value, result in zip(EXTREMES, quotient.tolist(), strict=True):
            assert abs(result * divisor - value) < divisor, (value, result)


@pytest.mark.parametrize("divisor", [3, 10, 569, 2**61 - 1])
def test_other_divisors_are_right_within_two_units(divisor: int) -> None:
    for seed in range(50):
        quotient = divide(torch.tensor(EXTREMES), divisor, 2, seed)
        for value, result in zip(EXTREMES, quotient.tolist(), strict=True):
            assert abs(result * divisor - value) < 2 * divisor, (value, result)


def test_a_million_large_values_without_one_failure() -> None:
    """Dividing each share would fail on about a quarter of values near 2^62; here none may."""
    x = Stream(b"values to divide" * 2).bits((1_000_000,), 62)
    error = divide(x, 2**16, 2) * 2**16 - x
    assert int(error.abs().max()) < 2**16


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("bits", [40, 44, 48, 52, 61])
def test_no_failure_where_dividing_shares_fails(bits: int, parties: int) -> None:
    """A share-wise division fails with probability |x| / 2^64, 2^-24 at 2^40; the protocol never does."""
    x = 2 ** (bits - 1) + Stream(bytes([bits]) * 32).bits((200_000,), bits - 1)
    for value in (x, -x):
        error = divide(value, 2**16, parties) * 2**16 - value
        assert int(error.abs().max()) < 2**16


def test_dividing_shares_does_fail() -> None:
    """What CrypTen does for two parties, at 2^61: one in eight is wrong, by 2^48."""
    x = torch.full((100_000,), 2**61)
    share = Stream(bytes(32)).words(x.shape)
    quotient = share.div(2**16, rounding_mode="trunc") + (x - share).div(2**16, rounding_mode="trunc")
    wrong = (quotient - 2**45).abs() > 1
    assert abs(float(wrong.double().mean()) - 1 / 8) < 5 * (7 / 64 / len(x)) ** 0.5
    assert set(((quotient - 2**45)[wrong].double() / 2**48).round().tolist()) == {-1.0}


def test_single_numbers_without_dimensions() -> None:
    for parties in (2, 3):
        quotient = divide(torch.tensor(2**20), 2**16, parties)
        assert quotient.shape == ()
        assert abs(int(quotient) - 16) <= 1


def test_what_is_opened_is_uniform() -> None:
    """Chi-square on the top byte of 2^20 openings of one value, as for the stream itself."""
    x = torch.full((1 << 20,), 7 * 2**40)
    mask = Stream(b"mask of an open." * 2).words(x.shape)
    opened = hide(x, TruncationMask(mask, mask, mask), first=True).numpy().view(np.uint64)
    top = np.bincount(opened >> np.uint64(56), minlength=256)
    assert 190 < float(((top - 4096.0) ** 2 / 4096.0).sum()) < 330


def test_rounding_is_unbiased() -> None:
    """Errors are spread evenly over (-1, 1) unit: the mean of a million has deviation 0.0004."""
    x = torch.full((1_000_000,), 12_345)
    error = divide(x, 2**16, 2).double() - 12_345 / 2**16
    assert abs(float(error.mean())) < 5 * 0.0004


@given(
    st.integers(-(2**62), 2**62 - 1), st.integers(2, 2**62 - 1), st.integers(0, 250), st.sampled_from([2, 3])
)
def test_any_value_and_divisor(value: int, divisor: int, seed: int, parties: int) -> None:
    result = int(divide(torch.tensor([value]), divisor, parties, seed)[0])
    assert abs(result * divisor - value) < 2 * divisor
