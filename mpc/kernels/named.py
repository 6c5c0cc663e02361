"""Products by the names that torch has for them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from mpc.kernels import convolution, product

_OWN: dict[str, Callable[..., torch.Tensor]] = {
    "matmul": product.matmul,
    "conv1d": convolution.conv1d,
    "conv2d": convolution.conv2d,
    "conv_transpose1d": convolution.conv_transpose1d,
    "conv_transpose2d": convolution.conv_transpose2d,
}


def named(op: str) -> Callable[..., torch.Tensor]:
    """The product that torch has by this name, as fast as it is here; torch's own for the others."""
    own = _OWN.get(op)
    if own is not None:
        return own
    of_torch: Callable[..., torch.Tensor] = getattr(torch, op)
    return of_torch
