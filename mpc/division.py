"""Divide a secret tensor by public numbers: CrypTen's `ArithmeticSharedTensor.div_`, right at all magnitudes.

CrypTen lets each party divide its own share, which fails with a probability that grows with the value. All
divisions go through the dealt protocol here: the rescaling after each product, means, pools, and `x / y`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from mpc.protocols.truncate import hide, unmask

# Significant bits kept of the reciprocal of a divisor that is no whole number.
_RECIPROCAL_BITS = 16


def division(crypten: Any) -> Callable[[Any, Any], Any]:
    """The method to put in place of `ArithmeticSharedTensor.div_`."""

    def div_(self: Any, divisor: Any) -> Any:
        """Divide in place by one public number, or by a tensor of them that broadcasts to the own shape.

        Whole divisors, also where each entry has another, give less than one unit of error for powers of
        two and less than two for others. With other divisors the reciprocal is rounded: 2^-16 of the result
        more for the divisor of smallest magnitude, and in proportion for larger ones in the same tensor. Raw
        values must stay in [-2^62, 2^62), for divisors that are not whole also when multiplied by 2^16.
        Raises ZeroDivisionError for zero, ValueError for a divisor that is not finite.
        """
        exact = torch.as_tensor(divisor)
        if exact.is_floating_point():
            exact = exact.double()
        _check(exact)
        if bool((exact == exact.round()).all()):
            self.share = _by_whole(crypten, self.share, exact.long())
        else:
            self.share = _by_fractions(crypten, self.share, exact)
        return self

    return div_


def _check(divisor: torch.Tensor) -> None:
    if divisor.is_floating_point() and not bool(torch.isfinite(divisor).all()):
        raise ValueError(f"a divisor must be finite, got {divisor[~torch.isfinite(divisor)][0].item()}")
    if bool((divisor == 0).any()):
        raise ZeroDivisionError("division of a secret tensor by zero")


def _by_fractions(crypten: Any, share: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """Multiply by 2^bits / divisor, rounded, and divide by 2^bits."""
    smallest = float(divisor.abs().min())
    bits = _RECIPROCAL_BITS + max(0, math.frexp(smallest)[1] - 1)
    factor = (2.0**bits / divisor).round().long()
    return _by_whole(crypten, share * factor, torch.tensor(1 << bits))


def _by_whole(crypten: Any, share: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """Shares of the quotients by whole numbers."""
    if not share.nelement():
        return share
    communicator = crypten.communicator.get()
    if communicator.get_world_size() == 1:
        return share.div(divisor, rounding_mode="trunc")
    share, divisor = share * divisor.sign(), divisor.abs()
    if bool((divisor == divisor.reshape(-1)[0]).all()):
        number = int(divisor.reshape(-1)[0])
        return share if number == 1 else divide_all(crypten, [share], [number])[0]
    flat, wanted = share.reshape(-1), divisor.expand(share.shape).reshape(-1)
    distinct = [number for number in torch.unique(wanted).tolist() if number > 1]
    places = [torch.nonzero(wanted == number).reshape(-1) for number in distinct]
    quotients = divide_all(crypten, [flat[place] for place in places], distinct)
    for place, quotient in zip(places, quotients, strict=True):
        flat[place] = quotient
    return flat.reshape(share.shape)


def divide_all(crypten: Any, shares: list[torch.Tensor], divisors: list[int]) -> list[torch.Tensor]:
    """Shares of each tensor over its own number, 2 or more; a dealt mask for each, one opening for all."""
    if crypten.communicator.get().get_world_size() == 1:
        pairs = zip(shares, divisors, strict=True)
        return [share.div(number, rounding_mode="trunc") for share, number in pairs]
    communicator, provider = crypten.communicator.get(), crypten.mpc.get_default_provider()
    first = communicator.get_rank() == 0
    masks = [
        provider.truncation_mask(share.shape, number, share)
        for share, number in zip(shares, divisors, strict=True)
    ]
    hidden = [hide(share, mask, first) for share, mask in zip(shares, masks, strict=True)]
    opened = communicator.all_reduce(hidden, batched=True)
    return [unmask(c, number, mask, first) for c, number, mask in zip(opened, divisors, masks, strict=True)]
