"""Fourier series on shares: right to a unit and a half where fitted, in two openings that say nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf
from sharing import dealt, run, shared, words

from mpc.dealer.tuples import Request
from mpc.protocols import gates, mantissas, series
from mpc.protocols.harmonics import (
    LARGEST_COUNT,
    LARGEST_PERIOD_BITS,
    HarmonicMask,
    Series,
    evaluate,
    harmonics,
    quotient_divisor,
)
from mpc.protocols.opening import Array, Protocol
from mpc.protocols.truncate import TruncationMask, divided

SCALE = 1 << 16


def normal(x: Array) -> Array:
    """The normal distribution function."""
    return np.asarray((1 + erf(x / np.sqrt(2))) / 2)


def logistic(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


SERIES: dict[str, tuple[Series, Callable[[Array], Array]]] = {
    "sigmoid": (series.SIGMOID, logistic),
    "tanh": (series.TANH, np.tanh),
    "exponential": (series.EXPONENTIAL, np.exp),
    "reciprocal": (series.RECIPROCAL, lambda x: 1 / x),
    "half of GELU": (gates.GELU_HALF, lambda x: x * normal(x) / 2),
    "slope of GELU": (
        gates.GELU_SLOPE,
        lambda x: normal(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi),
    ),
    "quarter of SiLU": (gates.SILU_QUARTER, lambda x: x * logistic(x) / 4),
    "slope of SiLU": (gates.SILU_SLOPE, lambda x: logistic(x) * (1 + x * logistic(-x))),
    "reciprocal of a mantissa": (mantissas.MANTISSA_RECIPROCAL, lambda x: 1 / x),
    "logarithm of a mantissa": (mantissas.MANTISSA_LOG, np.log),
    "inverse root of a mantissa": (mantissas.MANTISSA_INVERSE_ROOT, lambda x: x**-0.5),
    "root of a mantissa": (mantissas.MANTISSA_ROOT, np.sqrt),
    "eighth of a power of e": (mantissas.MANTISSA_EXP, lambda x: np.exp(x) / 8),
}


def _divided_series(
    x: Array, own: Series, mask: HarmonicMask, quotient: TruncationMask, first: bool
) -> Protocol[Array]:
    total = yield from evaluate(x, own, 16, mask, first)
    return (yield from divided(total, quotient_divisor(16), quotient, first))


def values(
    own: Series, raw: Array, parties: int, seed: int = 0, record: list[list[Array]] | None = None
) -> Array:
    """f of raw int64 words with 16 fractional bits, as opened words."""
    options = (("count", own.count), ("period_bits", own.log_period + 16))
    masks = dealt(Request("harmonics", ((raw.size,),), options=options), parties, seed)
    quotients = dealt(Request("truncation", ((raw.size,),), divisor=quotient_divisor(16)), parties, seed + 1)
    shares = shared(raw.astype(np.int64).view(np.uint64), parties, seed)
    protocols = [
        _divided_series(share, own, HarmonicMask(*words(mask)), TruncationMask(*quotient), rank == 0)
        for rank, (share, mask, quotient) in enumerate(zip(shares, masks, quotients, strict=True))
    ]
    return np.sum(run(protocols, record), axis=0, dtype=np.uint64).view(np.int64)


def range_of(own: Series) -> tuple[int, int]:
    return round(own.low * SCALE), round(own.high * SCALE)


@pytest.mark.parametrize("parties", [1, 2, 3])
@pytest.mark.parametrize("name", SERIES)
def test_within_a_unit_from_end_to_end(name: str, parties: int) -> None:
    """Half a unit of the series itself and one of the truncation, on 20,000 points and both ends."""
    own, exact = SERIES[name]
    low, high = range_of(own)
    raw = np.unique(np.linspace(low, high, 20_001).astype(np.int64))
    assert {low, high} <= set(raw.tolist())
    error = values(own, raw, parties) - exact(raw / SCALE) * SCALE
    assert np.abs(error).max() < 1.5


@given(st.sampled_from(sorted(SERIES)), st.floats(0, 1), st.integers(0, 250), st.integers(1, 3))
def test_at_any_point_under_any_mask(name: str, place: float, seed: int, parties: int) -> None:
    own, exact = SERIES[name]
    low, high = range_of(own)
    raw = np.array([low + round(place * (high - low))])
    assert np.abs(values(own, raw, parties, seed) - exact(raw / SCALE) * SCALE).max() < 1.5


def test_beyond_their_ranges_the_functions_are_flat() -> None:
    for name, limits in {"sigmoid": (0, 1), "tanh": (-1, 1), "exponential": (0, None)}.items():
        own, exact = SERIES[name]
        for end, limit in zip((own.low, own.high), limits, strict=True):
            assert limit is None or abs(exact(np.array(end)) - limit) < 2.0**-17


def test_harmonics_are_those_of_the_circle() -> None:
    """Every angle of a period of 2^16 words, and the largest, whatever stands above the period's bits."""
    for bits in (1, 5, 16, LARGEST_PERIOD_BITS):
        angles = np.arange(0, 1 << bits, max(1, (1 << bits) >> 16), dtype=np.uint64)
        high = np.random.default_rng(bits).integers(0, 2**64, size=angles.size, dtype=np.uint64)
        cosines, sines = harmonics(angles + (high << np.uint64(bits)), bits, LARGEST_COUNT)
        # Reduced mod the period in integers, so that numpy's own functions get small arguments.
        multiples = np.arange(1, LARGEST_COUNT + 1)[:, None] * angles.astype(np.int64) % (1 << bits)
        turns = multiples * (2 * np.pi / (1 << bits))
        assert np.abs(cosines - np.cos(turns)).max() < 2.0**-40
        assert np.abs(sines - np.sin(turns)).max() < 2.0**-40


def test_what_is_dealt_are_the_harmonics_of_the_mask() -> None:
    options = (("count", 5), ("period_bits", 21))
    parts = [words(own) for own in dealt(Request("harmonics", ((1000,),), options=options), 3)]
    r, cosines, sines = (np.sum(part, axis=0, dtype=np.uint64) for part in zip(*parts, strict=True))
    for opened, exact in zip((cosines, sines), harmonics(r, 21, 5), strict=True):
        assert np.abs(opened.view(np.int64) - exact * 2.0**30).max() <= 0.5


@pytest.mark.parametrize(
    ("own", "value"),
    [
        *((series.SIGMOID, value) for value in (-12.0, 0.0, 12.0)),
        (gates.GELU_SLOPE, gates.GELU_SLOPE.low),
        (mantissas.MANTISSA_ROOT, 4.0),
    ],
)
def test_what_is_opened_is_uniform_whatever_the_value(own: Series, value: float) -> None:
    """Chi-square of each opening's bytes, for 2^16 times one value, 255 degrees: bounds at 2^-40."""
    record: list[list[Array]] = []
    values(own, np.full(1 << 16, value * SCALE), 2, seed=5, record=record)
    assert [[part.nbytes for part in step] for step in record] == [[8 << 16], [8 << 16]]
    for step in record:
        for octets in step[0].view(np.uint8).reshape(-1, 8).T:
            expected = octets.size / 256
            statistic = float(((np.bincount(octets, minlength=256) - expected) ** 2 / expected).sum())
            assert 110 < statistic < 470


@pytest.mark.parametrize(
    ("size", "options", "message"),
    [
        ((2, 2), {"count": 3, "period_bits": 20}, "dealt in a row"),
        ((2,), {"count": 3}, "period bits, got None"),
        ((2,), {"count": 3, "period_bits": 23}, "1 to 22 period bits, got 23"),
        ((2,), {"count": 0, "period_bits": 20}, "from 1 to 64 harmonics are dealt, got 0"),
        ((2,), {"count": 65, "period_bits": 20}, "from 1 to 64 harmonics are dealt, got 65"),
    ],
)
def test_harmonics_that_nobody_deals(size: tuple[int, ...], options: dict[str, int], message: str) -> None:
    request = Request("harmonics", (size,), options=tuple(options.items()))
    with pytest.raises(ValueError, match=message):
        Request.from_bytes(request.to_bytes())
