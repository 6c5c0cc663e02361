"""Divide shared fixed-point numbers by a public integer, right for any number of parties.

CrypTen divides each share on its own, which is wrong with probability about |x| / 2^64 and then by 2^64
divided by the divisor. Here a dealt mask is opened instead, and the one wrap-around that can happen is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from mpc.protocols.opening import Array, Part, Protocol

# Raw values must lie in [-2^62, 2^62): the offset makes them non-negative with the top bit free.
OFFSET = 1 << 62
RING = 1 << 64


class TruncationMask(NamedTuple):
    """One party's shares of a mask r uniform in Z_(2^64): of r, of floor(r / d), of r's top bit (int64)."""

    r: torch.Tensor
    quotient: torch.Tensor
    top_bit: torch.Tensor


def truncate(
    share: torch.Tensor,
    divisor: int,
    mask: TruncationMask,
    open_sum: Callable[[torch.Tensor], torch.Tensor],
    first: bool,
) -> torch.Tensor:
    """This party's share of x / divisor, given its share of x (int64, any shape); one opening.

    For raw x in [-2^62, 2^62) the error is below one unit where the divisor is a power of two, below two
    units otherwise, always: there is no failure probability. `open_sum` adds all parties' tensors; `first`
    is true for exactly one party, who adds the public terms.

    With x' = x + 2^62 in [0, 2^63) and c = (x' + r) mod 2^64, a wrap w happened exactly when r's top bit is
    one and c's is zero, so w is linear in the shared bit, and x' / d = c / d - r / d + w 2^64 / d. The
    opened c is uniform and independent of x, so nothing about x is learned. (Masked opening as in Escudero,
    Ghosh, Keller, Rachuri, Scholl, ePrint 2020/338, section 5; a dealer in place of edaBits.)
    """
    return unmask(open_sum(hide(share, mask, first)), divisor, mask, first)


def divided(x: Array, divisor: int, mask: TruncationMask, first: bool) -> Protocol[Array]:
    """As `truncate`, of words (uint64, any shape), to run beside other protocols."""
    hidden = hide(torch.from_numpy(x.view(np.int64)), mask, first)
    (c,) = yield [Part(hidden.numpy().view(np.uint64))]
    quotient: Array = unmask(torch.from_numpy(c.view(np.int64)), divisor, mask, first).numpy().view(np.uint64)
    return quotient


def hide(share: torch.Tensor, mask: TruncationMask, first: bool) -> torch.Tensor:
    """This party's share of c, which is to be opened."""
    return share + mask.r + (OFFSET if first else 0)


def unmask(c: torch.Tensor, divisor: int, mask: TruncationMask, first: bool) -> torch.Tensor:
    """This party's share of the quotient, from the opened c; no communication."""
    wrap_share = mask.top_bit * (c >= 0)
    result = wrap_share * _signed(RING // divisor) - mask.quotient
    if first:
        result += unsigned_quotient(c, divisor) - OFFSET // divisor
    return result


def unsigned_quotient(value: torch.Tensor, divisor: int) -> torch.Tensor:
    """floor(value / divisor) with the int64 words of `value` read as unsigned."""
    words = value.numpy().view(np.uint64)
    quotient = np.asarray(words // np.uint64(divisor))
    return torch.from_numpy(quotient.view(np.int64))


def _signed(value: int) -> int:
    """The residue of `value` mod 2^64 that int64 can hold."""
    value %= RING
    return value - RING if value >= RING // 2 else value
