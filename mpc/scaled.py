"""Reciprocal, roots, logarithm and exponential of secret tensors over the range of the fixed point.

For the first four a number x of raw value X in [1, 4^16) is x = y 4^j / 2^16 with a mantissa y in [1, 4).
Whether X is below 4^k is tested for all k at once; 4^(15 - j), 2^(15 - j), 2^j and j are sums of the results
with public weights, and so is y itself, since a test gives the product with its argument too. A Fourier
series gives f(y), and one product scales it. For e^x the thresholds are multiples of log 16, and y is x less
the last one passed.

    function          range of x       rounds  bytes sent   error in units of 2^-16, and of the result
    reciprocal        2^-16 .. 2^16     9      244          2    2^-24
      of either sign                   14      272          2    2^-24
    inv_sqrt          2^-16 .. 2^16     9      244          2    2^-24
    sqrt              2^-16 .. 2^16     9      244          2    2^-19
    log               2^-16 .. 2^16     8      228          2
    exp               below 11          8      150          2    2^-21

Bytes are an entry's, to each other party. Below its range a function is that of the lower end, e^x zero;
above it there is no meaning. CrypTen's exponential is wrong by x^2 / 512 of itself, its logarithm by two
percent.

Security, semi-honest, against all parties but one, and against the dealer alone: tests, series, product and
divisions are the protocols of mpc.protocols.compare, mpc.protocols.harmonics, Beaver (Crypto 1991) and
mpc.protocols.truncate, each simulated by uniform openings; between them only linear maps of shares are taken.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch

from mpc.comparison import negatives
from mpc.protocols.mantissas import (
    MANTISSA_EXP,
    MANTISSA_INVERSE_ROOT,
    MANTISSA_LOG,
    MANTISSA_RECIPROCAL,
    MANTISSA_ROOT,
)
from mpc.smooth import SCALE_BITS, fits, values

# Powers of four that a raw value may have in it, and the fractional bits that makes y's.
DIGITS = 16
_FULL_BITS = 2 * (DIGITS - 1)
# What a series' period of 8 has room for.
_MANTISSA_BITS = 19
# Fractional bits of a series' result, and of the powers of e.
_RESULT_BITS = 28
_EXP_RESULT_BITS, _POWER_BITS = 25, 20
# Where e^x begins, is 0 below, and ends: in multiples of log 16.
_LOWEST, _END = -5, 4
_STEP = math.log(16.0)


def replace_scaled(crypten: Any) -> None:
    """Put them in the place of CrypTen's, whose other methods stay to be had by name."""
    tensor = crypten.mpc.MPCTensor
    for name, function in (("sqrt", _root), ("inv_sqrt", _inverse_root), ("exp", _exponential)):
        setattr(tensor, name, _where_it_fits(crypten, function, getattr(tensor, name)))
    tensor.log = _log(crypten, tensor.log)
    tensor.reciprocal = _reciprocal(crypten, tensor.reciprocal)


def _where_it_fits(crypten: Any, function: Callable[[Any, Any], Any], original: Any) -> Callable[[Any], Any]:
    def where_it_fits(self: Any) -> Any:
        if not self.nelement():
            return self.clone()
        return function(crypten, self) if fits(self) else original(self)

    return where_it_fits


def _log(crypten: Any, original: Any) -> Callable[..., Any]:
    def log(self: Any, input_in_01: bool = False) -> Any:
        """The natural logarithm; numbers known to be in [0, 1] are served by the same range."""
        if not self.nelement():
            return self.clone()
        if not fits(self):
            return original(self, input_in_01=input_in_01)
        y, below = _mantissa(crypten, self)
        # x = y 4^j / 2^16 with j the thresholds not above x.
        power = (-below.sum(0) + (DIGITS - 1)) * 2 - SCALE_BITS
        shifted = power.share * round(math.log(2.0) * 2**_RESULT_BITS)
        of_mantissa = values(crypten, y, MANTISSA_LOG, _MANTISSA_BITS, _RESULT_BITS)
        return _divided(self, of_mantissa.share + shifted, _RESULT_BITS - SCALE_BITS)

    return log


def _reciprocal(crypten: Any, original: Any) -> Callable[..., Any]:
    def reciprocal(self: Any, input_in_01: bool = False) -> Any:
        """1 / x; one test more where the configuration does not say that all entries are positive."""
        functions = crypten.cfg.functions
        if not self.nelement():
            return self.clone()
        if functions.reciprocal_method != "NR" or not fits(self):
            return original(self, input_in_01=input_in_01)
        if input_in_01 or functions.reciprocal_all_pos:
            return _inverse(crypten, self)
        test = negatives(crypten, self)
        return _inverse(crypten, self - test.part * 2) * (1 - test.bit * 2)

    return reciprocal


def _inverse(crypten: Any, x: Any) -> Any:
    y, below = _mantissa(crypten, x)
    factor = _weighted(below, [3 * 4 ** (DIGITS - 1 - k) for k in range(1, DIGITS)]) + 1
    # g 4^(15 - j) / 4^15 is 1 / X, times 2^16 twice.
    return _scaled(crypten, x, y, MANTISSA_RECIPROCAL, factor, _RESULT_BITS + _FULL_BITS - 2 * SCALE_BITS)


def _inverse_root(crypten: Any, x: Any) -> Any:
    y, below = _mantissa(crypten, x)
    factor = _weighted(below, [2 ** (DIGITS - 1 - k) for k in range(1, DIGITS)]) + 1
    # g 2^(15 - j) / 2^15 is 1 / sqrt(X), times 2^8 and 2^16.
    bits = _RESULT_BITS + DIGITS - 1 - SCALE_BITS - SCALE_BITS // 2
    return _scaled(crypten, x, y, MANTISSA_INVERSE_ROOT, factor, bits)


def _root(crypten: Any, x: Any) -> Any:
    y, below = _mantissa(crypten, x)
    factor = -_weighted(below, [2 ** (k - 1) for k in range(1, DIGITS)]) + 2 ** (DIGITS - 1)
    # g 2^j is sqrt(X), over 2^8 and times 2^16.
    return _scaled(crypten, x, y, MANTISSA_ROOT, factor, _RESULT_BITS - SCALE_BITS // 2)


def _mantissa(crypten: Any, x: Any) -> tuple[Any, Any]:
    """y with `_MANTISSA_BITS` fractional bits, and 1 where X < 4^k, for k = 1..15 along dimension 0.

    X below 1 counts as 1: the first threshold's test gives what is missing.
    """
    thresholds = [4**k for k in range(DIGITS)]
    below, excess = _tests(crypten, x, thresholds)
    missing = excess[0]
    full = x.share - missing
    for k in range(1, DIGITS):
        # X [X < 4^k], where a raised X is below all thresholds.
        part = excess[k] + below.share[k] * thresholds[k] - missing
        full = full + part * (3 * 4 ** (DIGITS - 1 - k))
    return _divided(x, full, _FULL_BITS - _MANTISSA_BITS), below[1:]


def _tests(crypten: Any, x: Any, thresholds: list[int]) -> tuple[Any, torch.Tensor]:
    """1 where X is below each raw threshold, along a new dimension 0, and shares of X minus it there."""
    first = crypten.communicator.get().get_rank() == 0
    offsets = torch.tensor(thresholds).reshape(-1, *[1] * x.dim()) * int(first)
    stacked = crypten.mpc.MPCTensor.from_shares(x.share.unsqueeze(0) - offsets, precision=0)
    test = negatives(crypten, stacked)
    return test.bit, test.part.share


def _weighted(bits: Any, weights: list[int]) -> Any:
    return (bits * torch.tensor(weights).reshape(-1, *[1] * (bits.dim() - 1))).sum(0)


def _gaps(numbers: list[int]) -> list[int]:
    return [after - before for before, after in itertools.pairwise(numbers)]


def _scaled(crypten: Any, like: Any, y: Any, series: Any, factor: Any, bits: int) -> Any:
    """series(y) times `factor`, whole numbers, over 2^bits."""
    value = values(crypten, y, series, _MANTISSA_BITS, _RESULT_BITS)
    return _divided(like, _whole(crypten, value).mul(factor).share, bits)


def _whole(crypten: Any, x: Any) -> Any:
    """Its raw values as whole numbers, so that a product is not cut."""
    return crypten.mpc.MPCTensor.from_shares(x.share, precision=0)


def _divided(like: Any, share: torch.Tensor, bits: int) -> Any:
    """The share of raw values over 2^bits, as a tensor with the fractional bits of `like`."""
    result = like.clone()
    result.share = share
    result._tensor.div_(1 << bits)
    return result


def _exponential(crypten: Any, x: Any) -> Any:
    steps = range(_LOWEST, _END)
    thresholds = [round(step * _STEP * 2**SCALE_BITS) for step in steps]
    below, excess = _tests(crypten, x, thresholds)
    # The threshold passed last is the highest one less the gaps above x; the lowest always counts.
    passed = -_weighted(below[1:], _gaps(thresholds)) + thresholds[-1]
    y = x.clone()
    y.share = x.share - excess[0] - passed.share
    # e^(threshold) by the thresholds as rounded, so that their rounding is no error; 0 below the lowest.
    powers = [0, *(round(8 * math.exp(t / 2**SCALE_BITS) * 2**_POWER_BITS) for t in thresholds)]
    factor = -_weighted(below, _gaps(powers)) + powers[-1]
    value = values(crypten, y, MANTISSA_EXP, SCALE_BITS, _EXP_RESULT_BITS)
    bits = _EXP_RESULT_BITS + _POWER_BITS - SCALE_BITS
    return _divided(x, _whole(crypten, value).mul(factor).share, bits)
