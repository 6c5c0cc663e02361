"""The product of matrices modulo 2^64."""

from __future__ import annotations

import numpy as np
import torch

from mpc.kernels.dispatch import TORCH, choose_path, native

# With fewer terms torch is done before the places are written down.
FEW_TERMS = 1 << 17


def matmul(x: torch.Tensor, y: torch.Tensor, path: str | None = None) -> torch.Tensor:
    """`torch.matmul` of int64: of vectors, matrices, and batches of them, in any memory layout.

    Other types and devices are torch's to multiply, and it raises what does not fit.
    """
    chosen = choose_path(path, x, y)
    if chosen == TORCH or not _fit(x, y) or (path is None and _terms(x, y) < FEW_TERMS):
        return torch.matmul(x, y)
    left, right = (x if x.dim() > 1 else x.unsqueeze(0)), (y if y.dim() > 1 else y.unsqueeze(1))
    if right.dim() == 2:
        rows = left.reshape(-1, left.shape[-1]) if left.dim() > 2 else left
        result = _multiply(chosen, rows, right).reshape(*left.shape[:-1], right.shape[1])
    else:
        outer = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        pairs = zip(_flat_batch(left, outer), _flat_batch(right, outer), strict=True)
        result = torch.stack([_multiply(chosen, one, other) for one, other in pairs])
        result = result.reshape(*outer, left.shape[-2], right.shape[-1])
    if x.dim() == 1:
        result = result.squeeze(-2)
    return result if y.dim() > 1 else result.squeeze(-1)


def _fit(x: torch.Tensor, y: torch.Tensor) -> bool:
    """Whether there is something to multiply."""
    return (
        min(x.dim(), y.dim()) > 0
        and 0 < x.shape[-1] == y.shape[-2 if y.dim() > 1 else 0]
        and _terms(x, y) > 0
    )


def _terms(x: torch.Tensor, y: torch.Tensor) -> int:
    """At least a matrix of x times one of y."""
    return x.numel() * (y.shape[-1] if y.dim() > 1 else 1) * min(y.numel(), 1)


def _flat_batch(x: torch.Tensor, outer: tuple[int, ...]) -> torch.Tensor:
    return x.expand(*outer, *x.shape[-2:]).reshape(-1, *x.shape[-2:])


def _multiply(path: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out = x.new_empty((x.shape[0], y.shape[1]))
    native().matmul(path, torch.get_num_threads(), x.numpy(), y.numpy(), out.numpy())
    return out
