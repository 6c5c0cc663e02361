"""What must be said differently for secret tensors and for torch's; all training code is written on these.

A secret tensor (from `Party.secret`) and a torch tensor share most methods, so the same text trains on shares
and in the clear. The functions here cover the rest; each returns what is as secret as its argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from mpc.engine import combine, concatenate, one_hot_maximum, row_maximum


def is_secret(x: Any) -> bool:
    """Whether x is CrypTen's tensor rather than torch's."""
    return not torch.is_tensor(x)


def tracked(x: Any) -> Any:
    """A copy of x that a product's gradient arrives at, as `grad`."""
    leaf = x.detach()
    leaf.requires_grad = True
    return leaf


def zeros_like(x: Any) -> Any:
    """Zeros of x's shape, secret if x is."""
    return x - x


def positive(x: Any) -> Any:
    """1.0 where x > 0, else 0.0; one comparison per entry."""
    if not is_secret(x):
        return (x > 0).to(x.dtype)
    # CrypTen's comparisons come without fractional bits; a sum takes on those of the other summand.
    return zeros_like(x) + (x > 0)


def largest(x: Any) -> Any:
    """One-hot rows that mark the largest entry of each row of x, shape (rows, columns).

    Of equal entries the first counts, as in torch. ceil(log2(columns)) comparisons one after the other.
    """
    if not is_secret(x):
        return torch.nn.functional.one_hot(x.argmax(dim=1), x.size(1)).to(x.dtype)
    return zeros_like(x) + one_hot_maximum(x)


def maximum(x: Any) -> Any:
    """The largest entry of each row of x, shape (rows, 1)."""
    return row_maximum(x) if is_secret(x) else x.max(dim=1, keepdim=True).values


def join(parts: Sequence[Any], dim: int) -> Any:
    """The parts side by side, or the only one."""
    if len(parts) == 1:
        return parts[0]
    return concatenate(parts, dim) if is_secret(parts[0]) else torch.cat(list(parts), dim)


def combinations(wanted: Sequence[Sequence[tuple[float, Any]]]) -> list[Any]:
    """For each list of (coefficient, tensor) the sum of their products; the tensors of a list have one shape.

    On shares all sums together cost one round. Coefficients count to 2^-30, the sum is off by less than one
    unit of 2^-16 beside that, and by less than two more for each product that waited for its division
    (mpc.waiting); |coefficient * value| must add up to less than 2^16.
    """
    if is_secret(wanted[0][0][1]):
        return combine(wanted)
    return [sum(factor * tensor for factor, tensor in terms) for terms in wanted]


def opened(x: Any) -> torch.Tensor:
    """The value in the clear at every party. Whoever calls this says in its docstring what that tells."""
    value: torch.Tensor = x.get_plain_text() if is_secret(x) else x
    return value


def inverse_sqrt(x: Any, low: float, high: float) -> Any:
    """1 / sqrt(x) for entries from `low` to `high`, which must be a power of 16 apart; 0.1 % or one unit off.

    Newton's iteration y <- y (3 - x y^2) / 2 from a start found by comparing x with low * 16, low * 256, ...,
    so that y sqrt(x) starts between 0.35 and 1.4 and six steps are enough. Outside it may diverge.
    """
    if not is_secret(x):
        return x.rsqrt()
    segments = round(math.log(high / low, 16))
    if segments < 1 or not math.isclose(low * 16.0**segments, high):
        raise ValueError(f"high must be a power of 16 times low, got {low} and {high}")
    y = zeros_like(x) + 0.35 / math.sqrt(low)
    for segment in range(1, segments):
        # Each threshold passed divides the start by four.
        drop = 0.35 / math.sqrt(low) * 0.75 / 4.0 ** (segment - 1)
        y = y - positive(x - low * 16.0**segment) * drop
    for _ in range(6):
        y = y * (3.0 - (x * y) * y) * 0.5
    return y


def probabilities(scores: Any) -> Any:
    """The sigmoid of scores of shape (rows, 1), the softmax of each row of several."""
    return scores.sigmoid() if scores.size(1) == 1 else scores.softmax(dim=1)
