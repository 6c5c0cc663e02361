"""Smooth functions of a shared number in one round, as Fourier series whose harmonics are dealt.

The parties open c = x + r for a dealt mask r, and get shares of cos(k w r) and sin(k w r) for k = 1..K with
it, w = 2 pi / P. Since the period P is a power of two of raw units, angles are right whatever wraps, and

    f(x) = a_0 + sum over k of  a_k cos(k w (c - r)) + b_k sin(k w (c - r))

is linear in what is dealt, with coefficients that follow from the public c: one opening. The sum has 60
fractional bits; a division (mpc.protocols.truncate) brings it to those wanted, in a round of its own or with
what comes next (mpc.waiting). (Fourier series on shares: Kei, Chow, "SHAFT", NDSS 2025, there for GELU.) The
series here are fitted where x can be, which is less than a period, so that a function that is not periodic
needs few harmonics too.

Cost to one party of n numbers: one round, 8 n bytes sent to each other party; 2 K words dealt a number.

Security, semi-honest, against all parties but one, and the dealer sees nothing: c is the sum of a secret and
a dealt mask that is uniform mod 2^64, independent of all else and used once, so a simulator draws it at
random. What is dealt of r is shared with fresh uniform words.

All parties multiply words of their shares by coefficients that must be the same to the last bit, and a dealer
that deals again must deal the same: cosines here come from integers, additions and products alone, which IEEE
754 fixes, never from a machine's own library.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mpc.protocols.opening import Array, Part, Protocol
from mpc.protocols.truncate import RING

# Fractional bits of dealt harmonics, and of the coefficients they are multiplied by. |f| must stay below 4.
HARMONIC_BITS = 30
COEFFICIENT_BITS = 30
SUM_BITS = HARMONIC_BITS + COEFFICIENT_BITS
# Bits of an angle that one table of cosines resolves.
_TABLE_BITS = 11
# Of what a dealer deals: bits of a period in raw units, harmonics of one number.
LARGEST_PERIOD_BITS = 2 * _TABLE_BITS
LARGEST_COUNT = 64


@dataclass(frozen=True)
class Series:
    """A function on `low` <= x <= `high` as a Fourier series of period 2^log_period in units of x.

    Coefficients are whole multiples of 2^-30: `constant`, `cosines` (may be empty) and `sines`.
    """

    low: float
    high: float
    log_period: int
    constant: int
    cosines: tuple[int, ...]
    sines: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many harmonics are dealt."""
        return max(len(self.cosines), len(self.sines))

    def coefficients(self) -> tuple[Array, Array]:
        """a_k and b_k for k = 1..count, as float64."""
        padded = [
            np.pad(np.array(own, dtype=np.float64), (0, self.count - len(own)))
            for own in (self.cosines, self.sines)
        ]
        return padded[0], padded[1]


class HarmonicMask(NamedTuple):
    """One party's shares, all uint64: of r, (n,), and of cos(k w r) and sin(k w r) times 2^30, (count, n)."""

    r: Array
    cosines: Array
    sines: Array


def derive(r: Array, period_bits: int, count: int) -> tuple[Array, Array]:
    """The dealer's part: cosines and sines of all harmonics of r in the clear, (count, n) uint64."""
    cosines, sines = harmonics(r, period_bits, count)
    return _rounded(cosines * 2.0**HARMONIC_BITS), _rounded(sines * 2.0**HARMONIC_BITS)


def evaluate(x: Array, series: Series, scale_bits: int, dealt: HarmonicMask, first: bool) -> Protocol[Array]:
    """This party's share of f(x) with SUM_BITS fractional bits, (n,) uint64.

    x has `scale_bits` fractional bits and must lie where the series is fitted. `first` is true for one party,
    who adds public terms. Off by the series' own error.
    """
    (c,) = yield [Part(x + dealt.r)]
    cosines, sines = harmonics(c, series.log_period + scale_bits, series.count)
    of_cosines, of_sines = series.coefficients()
    by_cosine = _rounded(of_cosines[:, None] * cosines + of_sines[:, None] * sines)
    by_sine = _rounded(of_cosines[:, None] * sines - of_sines[:, None] * cosines)
    total: Array = (by_cosine * dealt.cosines).sum(axis=0) + (by_sine * dealt.sines).sum(axis=0)
    return total + np.uint64((series.constant << HARMONIC_BITS) % RING) if first else total


def quotient_divisor(result_bits: int) -> int:
    """What brings products of coefficients and harmonics, 2^60 for 1, to 2^result_bits for 1."""
    return 1 << (SUM_BITS - result_bits)


def harmonics(words: Array, period_bits: int, count: int) -> tuple[Array, Array]:
    """cos(k t) and sin(k t) for k = 1..count, (count, n) float64, t = 2 pi (words mod 2^bits) / 2^bits.

    The same bits on every machine. Wrong by less than 2^-40 for count up to 64: Chebyshev's recurrence
    c_(k+1) = 2 c_1 c_k - c_(k-1) passes on rounding at most in proportion to k^2.
    """
    cosine, sine = _circle(words, period_bits)
    cosines, sines = np.empty((count, words.size)), np.empty((count, words.size))
    cosines[0], sines[0] = cosine, sine
    twice = 2.0 * cosine
    for k in range(1, count):
        before = (cosines[k - 2], sines[k - 2]) if k > 1 else (1.0, 0.0)
        cosines[k] = twice * cosines[k - 1] - before[0]
        sines[k] = twice * sines[k - 1] - before[1]
    return cosines, sines


def _circle(words: Array, period_bits: int) -> tuple[Array, Array]:
    """Cosine and sine of the first harmonic, from two tables by the theorem of addition."""
    if not 0 < period_bits <= LARGEST_PERIOD_BITS:
        raise ValueError(
            f"a period of 2 to 2^{LARGEST_PERIOD_BITS} raw units was expected, got 2^{period_bits}"
        )
    angle = (words << np.uint64(64 - period_bits)) >> np.uint64(64 - 2 * _TABLE_BITS)
    coarse, fine = angle >> np.uint64(_TABLE_BITS), angle & np.uint64((1 << _TABLE_BITS) - 1)
    (a, b), (c, s) = (
        table[:, part.astype(np.intp)] for table, part in zip(_tables(), (coarse, fine), strict=True)
    )
    return a * c - b * s, b * c + a * s


@functools.cache
def _tables() -> tuple[Array, Array]:
    """Cosines and sines, (2, 2^11) each, of 2 pi j / 2^11 and of 2 pi j / 2^22."""
    size = 1 << _TABLE_BITS
    return tuple(np.array([_exact_circle(j, whole) for j in range(size)]).T for whole in (size, size * size))  # type: ignore[return-value]


# Fractional bits of the integers below, and pi with so many (its digits are in OEIS A000796).
_BITS = 96
_PI = 0x3243F6A8885A308D313198A2E


def _exact_circle(j: int, whole: int) -> tuple[float, float]:
    """cos and sin of 2 pi j / whole by Taylor's series in integers, correctly rounded but for a few cases."""
    quarter, rest = divmod(4 * j, whole)
    angle = _PI * rest // (2 * whole)
    cosine, sine, term = 1 << _BITS, 0, 1 << _BITS
    for power in range(1, 40):
        term = term * angle // (power << _BITS)
        if power % 2:
            sine += term if power % 4 == 1 else -term
        else:
            cosine += term if power % 4 == 0 else -term
    c, s = cosine / (1 << _BITS), sine / (1 << _BITS)
    return ((c, s), (-s, c), (-c, -s), (s, -c))[quarter]


def _rounded(values: Array) -> Array:
    return np.rint(values).astype(np.int64).view(np.uint64)
