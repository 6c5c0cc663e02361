"""Sums of secret tensors with public coefficients, all in one round."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import torch

from mpc.division import divide_all
from mpc.waiting import settle, waiting


def weighted_sums(
    crypten: Any, wanted: Sequence[Sequence[tuple[float, Any]]], scale: int, coefficient_bits: int
) -> list[torch.Tensor]:
    """This party's share of each sum of coefficient times tensor, with the factor `scale` in its values.

    A tensor that waits for a division (mpc.waiting) is divided by its coefficient in the same round, if that
    is possible. For the others coefficients count to 2^-coefficient_bits, and |coefficient * value| must add
    up to less than 2^62 / (scale 2^coefficient_bits). Tensors have `scale` in their values or a part of it.
    """
    split = [
        [(factor, tensor, _at_once(factor, tensor, scale)) for factor, tensor in terms] for terms in wanted
    ]
    settle(crypten, [tensor for terms in split for _, tensor, own in terms if own is None])
    shares, divisors, places = [], [], []
    for place, terms in enumerate(split):
        parts = [own for _, _, own in terms if own is not None]
        known = [
            tensor.share * (round(factor * 2**coefficient_bits) * (scale // tensor.encoder.scale))
            for factor, tensor, own in terms
            if own is None
        ]
        if known:
            parts.append((functools.reduce(operator.add, known), 1 << coefficient_bits))
        shares += [share for share, _ in parts]
        divisors += [divisor for _, divisor in parts]
        places += [place] * len(parts)
    sums: list[Any] = [0] * len(wanted)
    for place, quotient in zip(places, divide_all(crypten, shares, divisors), strict=True):
        sums[place] = sums[place] + quotient
    return sums


def _at_once(factor: float, tensor: Any, scale: int) -> tuple[torch.Tensor, int] | None:
    own = waiting(tensor) if tensor.encoder.scale == scale else None
    return None if own is None else own.times(factor)
