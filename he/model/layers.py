"""The linear layers that a network is read into; like all layers here, functions of arrays in the clear.

A layer takes arrays (batch, *input_shape) and gives (batch, *output_shape) in float64; shapes here are those
of one sample. Images are (channels, height, width); one-dimensional signals have height 1. Pooling by
averages or sums is a `Conv` with as many groups as channels; batch norm is a `Scale`.
"""

from dataclasses import dataclass, field
from typing import Self, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model import convolution
from he.model.checks import expect_finite, freeze
from he.model.convolution import Floats, Padding, Pair, Shape


@dataclass(frozen=True, eq=False, repr=False)
class Dense:
    """x -> W x + b on vectors; weights of shape (outputs, inputs), bias (outputs,) or 0."""

    weights: Floats = field()
    bias: Floats = field()

    def __init__(self, weights: ArrayLike, bias: ArrayLike = 0.0) -> None:
        w = np.array(weights, dtype=np.float64)
        if w.ndim != 2 or 0 in w.shape:
            raise ValueError(f"weights have shape {w.shape}, expected (outputs, inputs)")
        b = _bias(bias, w.shape[0])
        expect_finite("weights or bias", w, b)
        if not w.any():
            raise ValueError(f"all {w.size} weights are zero, expected a layer that depends on its input")
        freeze(self, weights=w, bias=b)

    def output_shape(self, shape: Shape) -> Shape:
        """(outputs,) for (inputs,)."""
        if shape != (self.weights.shape[1],):
            raise ValueError(f"input of shape {shape}, expected ({self.weights.shape[1]},)")
        return (self.weights.shape[0],)

    def __call__(self, x: Floats) -> Floats:
        """x (batch, inputs) -> (batch, outputs)."""
        return x @ self.weights.T + self.bias

    def __repr__(self) -> str:
        return f"Dense({self.weights.shape[1]} -> {self.weights.shape[0]})"


@dataclass(frozen=True, eq=False, repr=False)
class Conv:
    """Cross-correlation on (channels, height, width), as torch.nn.Conv2d.

    weights (outputs, channels / groups, kernel height, kernel width), bias (outputs,) or 0; padding is
    ((top, bottom), (left, right)) zeros.
    """

    weights: Floats = field()
    bias: Floats = field()
    stride: Pair = (1, 1)
    padding: Padding = ((0, 0), (0, 0))
    dilation: Pair = (1, 1)
    groups: int = 1

    def __init__(
        self,
        weights: ArrayLike,
        bias: ArrayLike = 0.0,
        stride: Pair = (1, 1),
        padding: Padding = ((0, 0), (0, 0)),
        dilation: Pair = (1, 1),
        groups: int = 1,
    ) -> None:
        w = np.array(weights, dtype=np.float64)
        if w.ndim != 4 or 0 in w.shape:
            raise ValueError(f"weights have shape {w.shape}, expected (outputs, channels / groups, kh, kw)")
        if groups < 1 or w.shape[0] % groups:
            raise ValueError(f"groups is {groups}, expected a divisor of the {w.shape[0]} outputs")
        if min(*stride, *dilation) < 1 or min(*padding[0], *padding[1]) < 0:
            raise ValueError(
                f"stride {stride}, dilation {dilation}, padding {padding}, expected at least 1, 1 and 0"
            )
        b = _bias(bias, w.shape[0])
        expect_finite("weights or bias", w, b)
        freeze(self, weights=w, bias=b)
        for name, value in {"stride": stride, "padding": padding, "dilation": dilation}.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "groups", groups)

    def output_shape(self, shape: Shape) -> Shape:
        """(outputs, height, width) for (channels, height, width)."""
        channels = self.weights.shape[1] * self.groups
        if len(shape) != 3 or shape[0] != channels:
            raise ValueError(f"input of shape {shape}, expected ({channels}, height, width)")
        return (self.weights.shape[0], *self.windows(shape).counts)

    def windows(self, shape: Shape) -> convolution.Windows:
        """Where the kernel stands on an input of this shape."""
        kernel = cast(Pair, self.weights.shape[2:])
        return convolution.Windows.of(shape, kernel, self.stride, self.padding, self.dilation)

    def __call__(self, x: Floats) -> Floats:
        """x (batch, channels, height, width) -> (batch, outputs, height, width)."""
        patches = self.windows(x.shape[1:]).patches(x)
        grouped = patches.reshape(len(x), self.groups, -1, *patches.shape[2:])
        kernels = self.weights.reshape(self.groups, -1, *self.weights.shape[1:])
        out = np.einsum("bgchwyx,gochw->bgoyx", grouped, kernels, optimize=True)
        out = out.reshape(len(x), len(self.bias), *out.shape[3:])
        return cast(Floats, out + self.bias[:, None, None])

    def __repr__(self) -> str:
        outputs, channels, height, width = self.weights.shape
        return f"Conv({channels * self.groups} -> {outputs}, {height}x{width}, stride {self.stride})"


@dataclass(frozen=True, eq=False, repr=False)
class Scale:
    """x -> factor x + offset entry by entry; both broadcast to one sample's shape."""

    factor: Floats = field()
    offset: Floats = field()

    def __init__(self, factor: ArrayLike = 1.0, offset: ArrayLike = 0.0) -> None:
        f, o = np.array(factor, dtype=np.float64), np.array(offset, dtype=np.float64)
        expect_finite("factor or offset", f, o)
        freeze(self, factor=f, offset=o)

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        for part in (self.factor, self.offset):
            if np.broadcast_shapes(part.shape, shape) != shape:
                raise ValueError(f"input of shape {shape}, expected one that {part.shape} broadcasts to")
        return shape

    def __call__(self, x: Floats) -> Floats:
        """x (batch, ...) -> the same shape."""
        return x * self.factor + self.offset

    def __repr__(self) -> str:
        return f"Scale({self.factor.shape})"


@dataclass(frozen=True, eq=False, repr=False)
class Reindex:
    """Entries in another order or shape: flatten, reshape, permute, slice.

    source: of the output's shape, the place of each entry in the flattened input.
    """

    source: NDArray[np.intp] = field()

    def __init__(self, source: ArrayLike) -> None:
        s = np.array(source)
        if not np.issubdtype(s.dtype, np.integer) or s.size == 0 or s.min() < 0:
            raise ValueError(f"source is {s.dtype} of shape {s.shape}, expected places from 0 on")
        freeze(self, source=s.astype(np.intp))

    @classmethod
    def reshape(cls, shape: Shape, new: Shape) -> Self:
        """The same entries in the same order, in another shape of as many entries."""
        return cls(np.arange(np.prod(shape, dtype=np.intp)).reshape(new))

    def output_shape(self, shape: Shape) -> Shape:
        """That of `source`."""
        entries = int(np.prod(shape))
        if self.source.max() >= entries:
            raise ValueError(f"input of shape {shape}, expected more than {self.source.max()} entries")
        return self.source.shape

    def __call__(self, x: Floats) -> Floats:
        """x (batch, ...) -> (batch, *source.shape)."""
        return x.reshape(len(x), -1)[:, self.source]

    def __repr__(self) -> str:
        return f"Reindex({self.source.shape})"


@dataclass(frozen=True)
class Add:
    """The sum of inputs of one shape."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """The inputs' shape."""
        if len(shapes) < 2 or len(set(shapes)) > 1:
            raise ValueError(f"inputs of shapes {shapes}, expected two or more of one shape")
        return shapes[0]

    def __call__(self, *x: Floats) -> Floats:
        """Arrays (batch, ...) of one shape -> the same shape."""
        return sum(x[1:], x[0])


@dataclass(frozen=True)
class Concat:
    """The inputs one after the other along an axis of one sample, 0 the first."""

    axis: int = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        """The inputs' shape, but for the axis, whose lengths add up."""
        first = shapes[0]
        if not 0 <= self.axis < len(first):
            raise ValueError(f"axis is {self.axis}, expected 0 to {len(first) - 1}")
        rests = {(*shape[: self.axis], *shape[self.axis + 1 :]) for shape in shapes}
        if len(shapes) < 2 or len(rests) > 1 or len({len(shape) for shape in shapes}) > 1:
            raise ValueError(
                f"inputs of shapes {shapes}, expected two or more alike but for axis {self.axis}"
            )
        total = sum(shape[self.axis] for shape in shapes)
        return (*first[: self.axis], total, *first[self.axis + 1 :])

    def __call__(self, *x: Floats) -> Floats:
        """Arrays (batch, ...) -> one array."""
        return np.concatenate(x, axis=self.axis + 1)


Linear: TypeAlias = Dense | Conv | Scale | Reindex | Add | Concat


def _bias(given: ArrayLike, outputs: int) -> Floats:
    bias = np.array(given, dtype=np.float64)
    if bias.shape not in ((), (outputs,)):
        raise ValueError(f"bias has shape {bias.shape}, expected ({outputs},) for {outputs} outputs")
    return np.array(np.broadcast_to(bias, (outputs,)))
