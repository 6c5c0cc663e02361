"""Convolutions modulo 2^64, and what takes their gradients back: each is one product of matrices.

A column (n, i, j) of the matrix of patches has what kernels meet at place (i, j) of the maps n; its row
(c, k, l) is the word under word (k, l) of channel c. The matrix is never written down: a word of it lies in
the maps at the sum of two places, of its row and of its column. With kernels w as a matrix (outputs, c k l)
the convolution is w times the patches; the gradient of w is the patches times that of the values; and the
transposed convolution adds w^T times the values to maps of zeros, each word at the place of its patch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import pad

from mpc.kernels.dispatch import I64, TORCH, Matrix, choose_path, evenly, multiply, words_of

Pair = tuple[int, int]
Shape = tuple[int, ...]
_DEFAULTS = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}


class _Settings(NamedTuple):
    """As torch names them, down and across."""

    stride: Pair
    padding: Pair
    output_padding: Pair
    dilation: Pair


class _Places(NamedTuple):
    """Of the words of a matrix of patches, and how many columns are of one row of maps."""

    rows: I64
    columns: I64
    block: int


def conv2d(x: torch.Tensor, y: torch.Tensor, path: str | None = None, **options: Any) -> torch.Tensor:
    """`torch.conv2d` of int64 maps (rows, channels, height, width) and kernels, with its options.

    Groups, other types and other devices are torch's to convolve, and it raises what does not fit.
    """
    chosen = choose_path(path, x, y)
    own = None if chosen == TORCH else _settings(tuple(x.shape), tuple(y.shape), 1, options)
    if own is None or min(values := _values(tuple(x.shape), tuple(y.shape), own)) < 1:
        return torch.conv2d(x, y, **options)
    maps, out = _padded(x, own.padding), x.new_empty((x.shape[0], y.shape[0], *values))
    places = _places(tuple(maps.shape), tuple(y.shape[2:]), own.stride, own.dilation, values)
    multiply(chosen, _kernels(y), Matrix(words_of(maps), places.rows, places.columns), _by_channel(out))
    return out


def conv_transpose2d(
    x: torch.Tensor, y: torch.Tensor, path: str | None = None, **options: Any
) -> torch.Tensor:
    """`torch.conv_transpose2d` of int64, as `conv2d`: takes a gradient of its values to that of its maps."""
    chosen = choose_path(path, x, y)
    own = None if chosen == TORCH else _settings(tuple(x.shape), tuple(y.shape), 0, options)
    if own is None or (size := _size_back(tuple(x.shape), tuple(y.shape), own)) is None:
        return torch.conv_transpose2d(x, y, **options)
    values, maps = (x.shape[2], x.shape[3]), x.new_empty((x.shape[0], y.shape[1], *size))
    maps.numpy().fill(0)  # without torch's threads, as in _padded
    places = _places(tuple(maps.shape), tuple(y.shape[2:]), own.stride, own.dilation, values)
    out = Matrix(words_of(maps), places.rows, places.columns)
    multiply(chosen, _kernels(y).t(), _by_channel(x.contiguous()), out, add=True, block=places.block)
    down, across = own.padding
    return maps[:, :, down : size[0] - down, across : size[1] - across].contiguous()


def conv2d_weight(
    x: torch.Tensor, g: torch.Tensor, kernel: Pair, path: str | None = None, **options: Any
) -> torch.Tensor:
    """The gradient of the kernels (of this height and width) of `conv2d`, from its maps x and that of its
    values, g.
    """
    chosen = choose_path(path, x, g)
    shape = (g.shape[1], x.shape[1], *kernel)
    own = None if chosen == TORCH else _settings(tuple(x.shape), shape, 1, options)
    fits = own is not None and _values(tuple(x.shape), shape, own) == tuple(g.shape[2:])
    if own is None or not fits or x.shape[0] != g.shape[0] or g.numel() == 0:
        return _weight_by_torch(x, g, kernel, **options)
    maps, out = _padded(x, own.padding), x.new_empty((math.prod(shape[1:]), shape[0]))
    places = _places(tuple(maps.shape), kernel, own.stride, own.dilation, (g.shape[2], g.shape[3]))
    to = Matrix(words_of(out), evenly(out.shape[0], shape[0]), evenly(shape[0], 1))
    patches = Matrix(words_of(maps), places.rows, places.columns)
    multiply(chosen, patches, _by_channel(g.contiguous()).t(), to)
    return out.t().reshape(shape)


def _weight_by_torch(
    x: torch.Tensor, g: torch.Tensor, kernel: Pair, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> torch.Tensor:
    """A convolution of maps with gradients, where rows and channels change places, steps and dilations."""
    swapped = torch.conv2d(
        x.transpose(0, 1), g.transpose(0, 1), stride=dilation, padding=padding, dilation=stride
    )
    return swapped.transpose(0, 1)[:, :, : kernel[0], : kernel[1]]


def conv1d(x: torch.Tensor, y: torch.Tensor, path: str | None = None, **options: Any) -> torch.Tensor:
    """`torch.conv1d` of int64 maps (rows, channels, width) and kernels, as `conv2d`."""
    flat = _flat(options)
    if choose_path(path, x, y) == TORCH or flat is None or not x.dim() == y.dim() == 3:
        return torch.conv1d(x, y, **options)
    return conv2d(x.unsqueeze(2), y.unsqueeze(2), path, **flat).squeeze(2)


def conv_transpose1d(
    x: torch.Tensor, y: torch.Tensor, path: str | None = None, **options: Any
) -> torch.Tensor:
    """`torch.conv_transpose1d` of int64, as `conv2d`."""
    flat = _flat(options)
    if choose_path(path, x, y) == TORCH or flat is None or not x.dim() == y.dim() == 3:
        return torch.conv_transpose1d(x, y, **options)
    return conv_transpose2d(x.unsqueeze(2), y.unsqueeze(2), path, **flat).squeeze(2)


def _flat(options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Options of one dimension for the second of two; None if torch must say what is wrong with them."""
    flat: dict[str, Any] = {}
    for name, value in options.items():
        numbers = (value,) if isinstance(value, int) else value
        if name not in _DEFAULTS or not isinstance(numbers, tuple | list) or len(numbers) != 1:
            if name == "groups" and value == 1:
                continue
            return None
        flat[name] = (_DEFAULTS[name], *numbers)
    return flat


def _settings(x: Shape, y: Shape, axis: int, options: Mapping[str, Any]) -> _Settings | None:
    """None for what is torch's: groups, empty tensors, and what it raises an error for. Kernels y have the
    channels of x on this axis.
    """
    given = {**_DEFAULTS, **options}
    if given.pop("groups", 1) != 1 or given.keys() != _DEFAULTS.keys():
        return None
    pairs = [(value, value) if isinstance(value, int) else value for value in given.values()]
    if not all(isinstance(one, tuple | list) and len(one) == 2 and min(one) >= 0 for one in pairs):
        return None
    own = _Settings(*(tuple(one) for one in pairs))
    if not len(x) == len(y) == 4 or x[1] != y[axis] or 0 in (*x, *y, *own.stride, *own.dilation):
        return None
    return own


def _values(x: Shape, y: Shape, own: _Settings) -> Pair:
    """How many places kernels y have in maps x, down and across."""
    down, across = (
        (x[axis + 2] + 2 * own.padding[axis] - own.dilation[axis] * (y[axis + 2] - 1) - 1) // own.stride[axis]
        + 1
        for axis in range(2)
    )
    return down, across


def _size_back(x: Shape, y: Shape, own: _Settings) -> Pair | None:
    """Of the maps, padded, for which kernels y have the values x; None if there are none."""
    for more, stride, dilation in zip(own.output_padding, own.stride, own.dilation, strict=True):
        if more >= max(stride, dilation):
            return None
    down, across = (
        (x[axis + 2] - 1) * own.stride[axis]
        + own.dilation[axis] * (y[axis + 2] - 1)
        + 1
        + own.output_padding[axis]
        for axis in range(2)
    )
    return (down, across) if down > 2 * own.padding[0] and across > 2 * own.padding[1] else None


def _padded(x: torch.Tensor, padding: Pair) -> torch.Tensor:
    """Contiguous. After a copy torch's threads spin for a while, on the cores that ours need next."""
    down, across = padding
    return pad(x, (across, across, down, down)).contiguous() if down or across else x.contiguous()


@functools.lru_cache(maxsize=256)
def _places(maps: Shape, kernel: Pair, stride: Pair, dilation: Pair, values: Pair) -> _Places:
    """Of patches in contiguous maps of shape (rows, channels, height, width)."""
    count, channels, height, width = maps
    rows = _grid((channels, height * width), (kernel[0], dilation[0] * width), (kernel[1], dilation[1]))
    columns = _grid(
        (count, channels * height * width), (values[0], stride[0] * width), (values[1], stride[1])
    )
    return _Places(rows, columns, values[0] * values[1])


def _by_channel(x: torch.Tensor) -> Matrix:
    """Contiguous maps (rows, channels, ...): a channel a row of the matrix."""
    channels, places = x.shape[1], math.prod(x.shape[2:])
    return Matrix(words_of(x), evenly(channels, places), _columns(x.shape[0], channels, places))


@functools.lru_cache(maxsize=256)
def _columns(count: int, channels: int, places: int) -> I64:
    return _grid((count, channels * places), (places, 1))


def _kernels(y: torch.Tensor) -> Matrix:
    """A row each."""
    words = math.prod(y.shape[1:])
    return Matrix(words_of(y.contiguous()), evenly(y.shape[0], words), evenly(words, 1))


def _grid(*axes: tuple[int, int]) -> I64:
    """The places of all words of an array of these sizes and strides, in its order."""
    places = functools.reduce(np.add.outer, (np.arange(size, dtype=np.int64) * step for size, step in axes))
    flat: I64 = places.reshape(-1)
    flat.flags.writeable = False
    return flat
