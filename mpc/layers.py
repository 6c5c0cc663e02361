"""The layers of a network, each written once for secret tensors and torch's; gradients come from their tapes.

A layer is a function of torch's layer object (for its settings), its tensors by torch's names, the input and
whether the network is being trained. `LAYERS` says which layers there are, `check` which of their settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from mpc.tensors import inverse_sqrt, is_secret

Tensors = dict[str, Any]
# Variances, with eps, for which batch normalisation is right.
VARIANCES = (2.0**-8, 2.0**8)


def linear(layer: Any, tensors: Tensors, x: Any, training: bool) -> Any:
    """x (rows, in) times weight (out, in) transposed, plus bias (out)."""
    scores = x.matmul(tensors["weight"].t())
    return scores + tensors["bias"] if "bias" in tensors else scores


def convolution(layer: Any, tensors: Tensors, x: Any, training: bool) -> Any:
    """Cross-correlation of x (rows, channels, height, width) with weight (out, channels, height, width)."""
    settings = {"stride": layer.stride, "padding": layer.padding}
    if is_secret(x):
        maps = x.conv2d(tensors["weight"], **settings)
    else:
        maps = nn.functional.conv2d(x, tensors["weight"], **settings)
    return maps + tensors["bias"].reshape(1, -1, 1, 1) if "bias" in tensors else maps


def batch_norm(layer: Any, tensors: Tensors, x: Any, training: bool) -> Any:
    """Ioffe, Szegedy, 2015, as torch does it: biased variance in a batch, unbiased in the running average.

    Batch variances must lie between 2^-8 and 2^8.
    """
    shape = [1, -1, *[1] * (x.dim() - 2)]
    if training:
        over = [dim for dim in range(x.dim()) if dim != 1]
        count = math.prod(x.size(dim) for dim in over)
        mean = _total(x, over).div(count)
        variance = _total((x - mean) * (x - mean), over).div(count)
        _remember(tensors, "running_mean", mean, layer.momentum)
        _remember(tensors, "running_var", variance * (count / (count - 1)), layer.momentum)
    else:
        mean, variance = tensors["running_mean"].reshape(shape), tensors["running_var"].reshape(shape)
    normal = (x - mean) * inverse_sqrt(variance + layer.eps, *VARIANCES)
    return normal * tensors["weight"].reshape(shape) + tensors["bias"].reshape(shape)


def _total(x: Any, dims: Sequence[int]) -> Any:
    for dim in dims:
        x = x.sum(dim=dim, keepdim=True)
    return x


def _remember(tensors: Tensors, name: str, value: Any, momentum: float) -> None:
    flat = value.detach().reshape(-1)
    tensors[name] = tensors[name] * (1.0 - momentum) + flat * momentum


def relu(layer: Any, tensors: Tensors, x: Any, training: bool) -> Any:
    """max(x, 0), of any shape."""
    return x.relu()


def max_pool(layer: Any, tensors: Tensors, x: Any, training: bool) -> Any:
    """The largest of each window of x, shape (rows, channels, height, width)."""
    if is_secret(x):
        return x.max_pool2d(layer.kernel_size, stride=layer.stride)
    return nn.functional.max_pool2d(x, layer.kernel_size, layer.stride)


def average_pool(layer: Any, tensors: Tensors, x: Any, training: bool) -> Any:
    """The mean of each window of x (rows, channels, height, width), zeros of the padding included."""
    if is_secret(x):
        return x.avg_pool2d(layer.kernel_size, stride=layer.stride, padding=layer.padding)
    return nn.functional.avg_pool2d(x, layer.kernel_size, layer.stride, layer.padding)


def flatten(layer: Any, tensors: Tensors, x: Any, training: bool) -> Any:
    """Shape (rows, all the rest)."""
    return x.reshape(x.size(0), -1)


LAYERS: dict[type[nn.Module], Callable[[Any, Tensors, Any, bool], Any]] = {
    nn.Linear: linear,
    nn.Conv2d: convolution,
    nn.BatchNorm1d: batch_norm,
    nn.BatchNorm2d: batch_norm,
    nn.ReLU: relu,
    nn.MaxPool2d: max_pool,
    nn.AvgPool2d: average_pool,
    nn.Flatten: flatten,
}

# Settings that must have one value, because the layer is only that.
_FIXED: dict[type[nn.Module], dict[str, Any]] = {
    nn.Conv2d: {"groups": 1, "dilation": (1, 1), "padding_mode": "zeros"},
    nn.BatchNorm1d: {"affine": True, "track_running_stats": True},
    nn.BatchNorm2d: {"affine": True, "track_running_stats": True},
    nn.MaxPool2d: {"padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False},
    nn.AvgPool2d: {"ceil_mode": False, "count_include_pad": True, "divisor_override": None},
    nn.Flatten: {"start_dim": 1, "end_dim": -1},
}


def check(model: nn.Module) -> list[nn.Module]:
    """The layers of a torch.nn.Sequential; ValueError for one that cannot be trained on shares."""
    if not isinstance(model, nn.Sequential):
        raise ValueError(f"a torch.nn.Sequential was expected, got a {type(model).__name__}")
    for place, layer in enumerate(model):
        kind = type(layer)
        if kind not in LAYERS:
            known = ", ".join(known.__name__ for known in LAYERS)
            raise ValueError(f"layer {place} is a {kind.__name__}; there are {known}")
        for name, value in _FIXED.get(kind, {}).items():
            if getattr(layer, name) != value:
                given = getattr(layer, name)
                raise ValueError(f"layer {place} ({kind.__name__}) must have {name}={value!r}, got {given!r}")
        if isinstance(getattr(layer, "padding", None), str):
            raise ValueError(f"layer {place} ({kind.__name__}) must have its padding in numbers")
    if not any(isinstance(parameter, torch.Tensor) for parameter in model.parameters()):
        raise ValueError("the network has no parameters to train")
    return list(model)
