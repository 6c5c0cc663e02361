"""Products of shared tensors by dealt ones, with the masks of the factors kept for the gradients.

For a bilinear f and dealt a, b and c = f(a, b) the parties open e = x - a and d = y - b, and hold
f(x, y) = c + f(e, b) + f(a, d) + f(e, d) (Beaver, CRYPTO 1991). One party adds d to its share of b first, so
that two local products are enough instead of three.

A product in a network is followed by two more on its way back, of the gradient g with either factor. They are
f's transposes, bilinear as well. A dealt `LayerMask` has one mask for each of x, y and g, and the products of
the masks for all three; so x, y and g are opened once each, where three separate products open each twice.

A mask serves one tuple, also that of data which come again in every epoch. To keep it would save their
opening; but a training that goes on from a checkpoint repeats numbers of tuples, and two products of one mask
b with masks of x whose difference is known would tell b.

Security: every mask is uniform, known to no party, and covers one value, so the opened differences are
uniform and independent of the data: the simulator of Beaver's protocol draws three of them in place of six.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import torch

from mpc import kernels

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Shape = tuple[int, ...]


class Layer(NamedTuple):
    """A bilinear map, f(x, y), and what takes a gradient g of its value to those of x and y."""

    forward: Product
    left: Product
    """Of g and y, with the shape of x."""
    right: Product
    """Of x and g, with the shape of y."""


class LayerMask(NamedTuple):
    """One party's shares of uniform a, b, g and of products of them (int64); those not asked for are None."""

    a: torch.Tensor
    b: torch.Tensor
    g: torch.Tensor
    forward: torch.Tensor
    left: torch.Tensor | None
    right: torch.Tensor | None


class Factor(NamedTuple):
    """A masked value: what was opened, and this party's share of the mask."""

    opened: torch.Tensor
    mask: torch.Tensor


def multiply(f: Product, x: Factor, y: Factor, dealt: torch.Tensor, first: bool) -> torch.Tensor:
    """This party's share of f of the masked values, given its share of f of the masks; nothing is sent.

    `first` is true for exactly one party.
    """
    known = y.mask + y.opened if first else y.mask
    return dealt + f(x.opened, known) + f(x.mask, y.opened)


def matmul_layer(x: Shape, y: Shape, path: str | None = None) -> Layer:
    """The product of matrices on this path of `mpc.kernels`; ValueError for other shapes."""
    if len(x) != 2 or len(y) != 2 or x[1] != y[0]:
        raise ValueError(f"two matrices with a product were expected, got shapes {x} and {y}")
    product = partial(kernels.matmul, path=path)
    return Layer(product, lambda g, own: product(g, own.t()), lambda own, g: product(own.t(), g))


def convolution_layer(x: Shape, y: Shape, options: Mapping[str, Any], path: str | None = None) -> Layer:
    """`torch.conv2d` of maps x of shape (rows, channels, height, width) with kernels y, without groups.

    CrypTen takes the gradient of the kernels from a convolution in rows times channels groups, for which it
    repeats g once a channel and sums up afterwards; here nothing is repeated.
    """
    if len(x) != 4 or len(y) != 4 or x[1] != y[1] or options.get("groups", 1) != 1:
        raise ValueError(f"maps and kernels of four dimensions without groups were expected, got {x} and {y}")
    stride, padding, dilation = (
        pair(options.get(name, other)) for name, other in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    if 0 in (*stride, *dilation):
        raise ValueError(f"stride and dilation are at least 1, got {stride} and {dilation}")
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, y[2:], strict=True)]
    left_over = tuple(
        (n + 2 * p - span) % s for n, p, span, s in zip(x[2:], padding, spans, stride, strict=True)
    )

    settings = {"stride": stride, "padding": padding, "dilation": dilation}

    def forward(maps: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return kernels.conv2d(maps, weights, path, **settings)

    def left(g: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        return kernels.conv_transpose2d(g, weights, path, output_padding=left_over, **settings)

    def right(maps: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return kernels.conv2d_weight(maps, g, (y[2], y[3]), path, **settings)

    return Layer(forward, left, right)


def pair(value: Any) -> tuple[int, int]:
    """One whole number for both directions, or one for each; ValueError for anything else."""
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2 or any(type(number) is not int or number < 0 for number in both):
        raise ValueError(f"one or two whole numbers of 0 or more were expected, got {value!r}")
    return both


def layer(op: str, x: Shape, y: Shape, options: Mapping[str, Any], path: str | None = None) -> Layer:
    """The layer named as torch names its product; `path` as in `mpc.kernels`, None for the fastest one."""
    if op == "matmul":
        return matmul_layer(x, y, path)
    if op == "conv2d":
        return convolution_layer(x, y, options, path)
    raise ValueError(f"layer {op!r} is none of ('matmul', 'conv2d')")
