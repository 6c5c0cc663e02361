"""Sigmoid, hyperbolic tangent and softmax of secret tensors, by the series of `mpc.protocols.harmonics`.

Where an argument lies outside the range of its series it is moved to the end of the range, beyond which the
function is flat within 2^-17; the tests for that give the moved argument at no further cost. CrypTen computes
a sigmoid in 23 rounds and 752 bytes an entry between two parties, sent and received, within 2^-8, and the
softmax of ten entries in 94 rounds and 16.6 kB a row; here it is 6 rounds and 81 bytes within 2^-15, and 16
rounds and 2.4 kB. The last round of either is a division, which may wait (mpc.waiting).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from mpc.comparison import is_first, negatives, no_words, run_opening, tensor_of, with_share, words_of
from mpc.maximum import contest
from mpc.products import product
from mpc.protocols import harmonics
from mpc.protocols.harmonics import Series
from mpc.protocols.series import EXPONENTIAL, RECIPROCAL, SIGMOID, TANH
from mpc.waiting import quotient

# More fractional bits in the argument than one period has room for would be cut, fewer are exact.
SCALE_BITS = 16


def replace_smooth(crypten: Any) -> None:
    """Put them in the place of CrypTen's, whose other methods stay to be had by name."""
    tensor = crypten.mpc.MPCTensor
    for name, series in (("sigmoid", SIGMOID), ("tanh", TANH)):
        setattr(tensor, name, _bounded(crypten, series, getattr(tensor, name)))
    tensor.softmax = _softmax(crypten, tensor.softmax)


def _bounded(crypten: Any, series: Series, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def function(self: Any) -> Any:
        if crypten.cfg.functions.sigmoid_tanh_method != "reciprocal" or not fits(self):
            return original(self)
        return values(crypten, clamp(crypten, self, series.low, series.high)[0], series)

    return function


def _softmax(crypten: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def softmax(self: Any, dim: int, **more: Any) -> Any:
        """e^(x - max) over its sum along `dim`; for more than 16 entries by mpc.scaled's reciprocal."""
        if self.dim() == 0 or self.size(dim) == 1 or not fits(self) or not self.nelement():
            return original(self, dim, **more)
        x = self.transpose(dim, -1)
        below = x - contest(crypten, x).best()
        raised = below - negatives(crypten, below - EXPONENTIAL.low).part
        powers = values(crypten, raised, EXPONENTIAL)
        total = powers.sum(-1, keepdim=True)
        if powers.size(-1) <= RECIPROCAL.high:
            inverse = values(crypten, total, RECIPROCAL)
        else:
            with crypten.cfg.temp_override({"functions.reciprocal_all_pos": True}):
                inverse = total.reciprocal()
        return product(crypten, powers, inverse).transpose(dim, -1)

    return softmax


def fits(x: Any) -> bool:
    """Whether x has the fractional bits that the series here are for."""
    return bool(x.encoder._scale == 1 << SCALE_BITS)


def clamp(crypten: Any, x: Any, low: float, high: float) -> tuple[Any, Any]:
    """x moved into [low, high], and what it exceeds `high` by; both tests at once, in four rounds."""
    bounds = torch.tensor([low, high], dtype=torch.float64).reshape(2, *[1] * x.dim())
    sides = x.unsqueeze(0).expand(2, *x.size()) - bounds
    under, inside = negatives(crypten, sides).part.share
    from_low, from_high = sides.share
    above = with_share(x, from_high - inside)
    return with_share(x, from_low - under - above.share) + low, above


def values(
    crypten: Any, x: Any, series: Series, scale_bits: int = SCALE_BITS, result_bits: int = SCALE_BITS
) -> Any:
    """The series at every entry: one round, 8 bytes an entry to each other party; the result waits.

    The shares of x have `scale_bits` fractional bits, those of the result `result_bits`.
    """
    words = words_of(x.share)
    if not words.size:
        return x.clone()
    dealt = crypten.mpc.get_default_provider().harmonics(words.size, series, scale_bits)
    protocol = harmonics.evaluate(words, series, scale_bits, dealt, is_first(crypten))
    total = run_opening(crypten, protocol, no_words(words.size))
    divisor = harmonics.quotient_divisor(result_bits)
    return quotient(crypten, tensor_of(total, x.size()), divisor, x.encoder.scale)
