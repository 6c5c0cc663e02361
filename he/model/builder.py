"""Builder: what all readers of networks share, from operations on tensors to nodes of a Graph.

Values are places of nodes, INPUT for the network's input. Shapes and axes are those of one sample.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model.convolution import Floats, Padding, Pair, Shape
from he.model.graph import INPUT, Graph, Layer, Node
from he.model.layers import Add, Concat, Conv, Dense, Reindex, Scale
from he.model.nonlinear import Activation, ActivationKind, Polynomial, Square

LARGEST_VALUE = 1 << 24
"""Entries of one value of one sample: beyond what any plan carries, whatever a damaged file asks for."""
NO_PADDING: Padding = ((0, 0), (0, 0))


class Builder:
    """Collects nodes; ValueError names the node whose operation does not fit its inputs."""

    def __init__(self, input_shape: Shape) -> None:
        self.input_shape = input_shape
        self._nodes: list[Node] = []
        self._shapes: list[Shape] = []

    def shape(self, x: int) -> Shape:
        """Of one sample of the value."""
        return self.input_shape if x == INPUT else self._shapes[x]

    def add(self, name: str, layer: Layer, *inputs: int) -> int:
        """A node of its own."""
        try:
            shape = layer.output_shape(*(self.shape(x) for x in inputs))
        except (TypeError, ValueError) as problem:
            raise ValueError(f"{name}: {problem}") from None
        if math.prod(shape) > LARGEST_VALUE:
            raise ValueError(f"{name} gives {shape} for one sample, expected at most {LARGEST_VALUE} entries")
        self._nodes.append(Node(name, layer, inputs))
        self._shapes.append(shape)
        return len(self._nodes) - 1

    def layer_of(self, x: int) -> Layer | None:
        """The layer that gives the value, None for the input."""
        return None if x == INPUT else self._nodes[x].layer

    def inputs_of(self, x: int) -> tuple[int, ...]:
        """The values that the value is computed from."""
        return () if x == INPUT else self._nodes[x].inputs

    def graph(self, output: int) -> Graph:
        """The nodes that the output depends on; ValueError if it is the input itself."""
        if output == INPUT:
            raise ValueError("the network gives back its input, expected at least one layer")
        kept = self.kept(output)
        new = {old: place for place, old in enumerate(kept)} | {INPUT: INPUT}
        nodes = (self._nodes[x] for x in kept)
        return Graph(
            self.input_shape, tuple(Node(n.name, n.layer, tuple(new[x] for x in n.inputs)) for n in nodes)
        )

    def kept(self, output: int) -> list[int]:
        """The values that the output depends on, in order: those of the nodes of its graph."""
        kept, open_values = set[int](), [output]
        while open_values:
            x = open_values.pop()
            if x != INPUT and x not in kept:
                kept.add(x)
                open_values.extend(self._nodes[x].inputs)
        return sorted(kept)

    def reindex(self, name: str, x: int, source: NDArray[np.intp]) -> int:
        """Entries in another order; nothing at all if order and shape stay."""
        shape = self.shape(x)
        if source.shape == shape and np.array_equal(source.ravel(), np.arange(math.prod(shape))):
            return x
        return self.add(name, Reindex(source), x)

    def reshape(self, name: str, x: int, shape: Shape) -> int:
        """The same entries in the same order."""
        if math.prod(shape) != math.prod(self.shape(x)):
            raise ValueError(f"{name}: {self.shape(x)} cannot be reshaped to {shape}, the sizes differ")
        return self.reindex(name, x, np.arange(math.prod(shape)).reshape(shape))

    def permute(self, name: str, x: int, axes: Sequence[int]) -> int:
        """As numpy.transpose."""
        places = np.arange(math.prod(self.shape(x))).reshape(self.shape(x))
        return self.reindex(name, x, places.transpose(axes))

    def dense(self, name: str, x: int, weights: ArrayLike, bias: ArrayLike = 0.0) -> int:
        """W x + b along the last axis."""
        shape, w = self.shape(x), np.asarray(weights, dtype=np.float64)
        if len(shape) < 2:
            return self.add(name, Dense(w, bias), x)
        *rows, features = shape
        x = self.permute(name, self.reshape(name, x, (math.prod(rows), features)), (1, 0))
        x = self.reshape(name, x, (features, math.prod(rows), 1))
        x = self.add(name, Conv(w[:, :, None, None], bias), x)
        x = self.permute(name, self.reshape(name, x, (len(w), math.prod(rows))), (1, 0))
        return self.reshape(name, x, (*rows, len(w)))

    def conv(
        self,
        name: str,
        x: int,
        weights: Floats,
        bias: ArrayLike = 0.0,
        stride: Pair = (1, 1),
        padding: Padding = NO_PADDING,
        dilation: Pair = (1, 1),
        groups: int = 1,
    ) -> int:
        """On (channels, height, width), or on (channels, length) with a kernel of height 1."""
        shape = self.shape(x)
        if len(shape) == 2:
            x = self.reshape(name, x, (shape[0], 1, shape[1]))
        x = self.add(name, Conv(weights, bias, stride, padding, dilation, groups), x)
        done = self.shape(x)
        return self.reshape(name, x, (done[0], done[2])) if len(shape) == 2 else x

    def window_sums(self, name: str, x: int, kernel: Pair, stride: Pair, padding: Padding) -> int:
        """The sum of each window of each channel; what pooling by averages is made of."""
        channels = self.shape(x)[0]
        return self.conv(name, x, np.ones((channels, 1, *kernel)), 0.0, stride, padding, (1, 1), channels)

    def pool(
        self, name: str, x: int, kernel: Pair, stride: Pair, padding: Padding, divisor: int | None = None
    ) -> int:
        """Averages over windows: by `divisor`, or by the number of entries outside the padding."""
        signal = (self.shape(x)[0], 1, self.shape(x)[1]) if len(self.shape(x)) == 2 else self.shape(x)
        sums = self.window_sums(name, x, kernel, stride, padding)
        if divisor is not None:
            return self.add(name, Scale(1 / divisor), sums)
        counts = Conv(np.ones((1, 1, *kernel)), 0.0, stride, padding)(np.ones((1, 1, *signal[1:])))[0]
        if not counts.all():
            raise ValueError(f"{name}: a window lies in the padding alone, expected less padding")
        return self.add(name, Scale(1 / counts if len(self.shape(x)) == 3 else 1 / counts[:, 0]), sums)

    def averages(
        self, name: str, x: int, kernel: Pair, stride: Pair, padding: Padding, of_ones: Floats
    ) -> int:
        """Averages over windows by the framework's own rule, seen in what it gives of ones (1, *spatial)."""
        other = Builder((1, *self.shape(x)[1:]))
        sums = other.window_sums(name, INPUT, kernel, stride, padding)
        entries = other.graph(sums)(np.ones((1, *other.input_shape)))[0]
        return self.scale(name, self.window_sums(name, x, kernel, stride, padding), of_ones / entries)

    def pad(self, name: str, x: int, padding: Padding) -> int:
        """Zeros around each channel."""
        channels = self.shape(x)[0]
        return self.conv(name, x, np.ones((channels, 1, 1, 1)), padding=padding, groups=channels)

    def reduce(self, name: str, x: int, axes: Sequence[int], keep: bool, mean: bool) -> int:
        """Sums or means over axes."""
        shape = self.shape(x)
        gone = sorted({axis % len(shape) for axis in axes})
        rest = [axis for axis in range(len(shape)) if axis not in gone]
        rows, size = math.prod(shape[a] for a in rest), math.prod(shape[a] for a in gone)
        x = self.reshape(name, self.permute(name, x, (*rest, *gone)), (1, rows, size))
        x = self.add(name, Conv(np.full((1, 1, 1, size), 1 / size if mean else 1.0)), x)
        out = (
            tuple(1 if a in gone else n for a, n in enumerate(shape))
            if keep
            else tuple(shape[a] for a in rest)
        )
        return self.reshape(name, x, out or (1,))

    def scale(self, name: str, x: int, factor: ArrayLike = 1.0, offset: ArrayLike = 0.0) -> int:
        """factor x + offset, either a number or broadcast to (1, *shape) as networks have their batches."""
        return self.add(name, Scale(*(_of_sample(name, part, self.shape(x)) for part in (factor, offset))), x)

    def sum(self, name: str, x: int, y: int) -> int:
        """x + y, an axis of length 1 repeated as in NumPy."""
        x, y = self._alike(name, x, y)
        return self.add(name, Add(), x, y)

    def product(self, name: str, x: int, y: int) -> int:
        """x y: a square, x sigmoid(x), or ((x + y)^2 - (x - y)^2) / 4."""
        if x == y:
            return self.add(name, Square(), x)
        for left, right in ((x, y), (y, x)):
            if self.layer_of(right) == Activation("sigmoid") and self.inputs_of(right) == (left,):
                return self.add(name, Activation("silu"), left)
        x, y = self._alike(name, x, y)
        plus = self.add(name, Square(), self.add(name, Add(), x, y))
        minus = self.add(name, Square(), self.add(name, Add(), x, self.add(name, Scale(-1.0), y)))
        both = self.add(name, Add(), plus, self.add(name, Scale(-1.0), minus))
        return self.add(name, Scale(0.25), both)

    def power(self, name: str, x: int, exponent: float) -> int:
        """x^n for a whole n from 1 on."""
        if exponent != int(exponent) or exponent < 1:
            raise ValueError(f"{name}: the power {exponent} given, expected a whole number from 1 on")
        if exponent == 1:
            return x
        if exponent == 2:
            return self.add(name, Square(), x)
        return self.add(name, Polynomial.from_monomials([0.0] * int(exponent) + [1.0]), x)

    def concat(self, name: str, values: Sequence[int], axis: int) -> int:
        """Along an axis of one sample."""
        return values[0] if len(values) == 1 else self.add(name, Concat(axis), *values)

    def activation(self, name: str, x: int, kind: ActivationKind) -> int:
        """One that a polynomial has to stand in for."""
        return self.add(name, Activation(kind), x)

    def softplus(self, name: str, x: int, beta: float) -> int:
        """log(1 + exp(beta x)) / beta."""
        if beta == 1:
            return self.activation(name, x, "softplus")
        inner = self.activation(name, self.scale(name, x, beta), "softplus")
        return self.scale(name, inner, 1 / beta)

    def _alike(self, name: str, x: int, y: int) -> tuple[int, int]:
        """Both repeated along axes of length 1 to one shape."""
        try:
            shape = np.broadcast_shapes(self.shape(x), self.shape(y))
        except ValueError:
            raise ValueError(
                f"{name}: inputs of shapes {self.shape(x)} and {self.shape(y)}, expected one shape"
            ) from None
        if len(self.shape(x)) != len(self.shape(y)):
            raise ValueError(f"{name}: inputs of shapes {self.shape(x)} and {self.shape(y)}, expected one")
        return self._repeated(name, x, shape), self._repeated(name, y, shape)

    def _repeated(self, name: str, x: int, shape: Shape) -> int:
        places = np.arange(math.prod(self.shape(x))).reshape(self.shape(x))
        return self.reindex(name, x, np.broadcast_to(places, shape))


def _of_sample(name: str, part: ArrayLike, shape: Shape) -> Floats:
    """A constant without its batch axis."""
    array = np.asarray(part, dtype=np.float64)
    if array.size == 1:
        return array.reshape(())
    try:
        whole = np.broadcast_to(array, (1, *shape))
    except ValueError:
        raise ValueError(
            f"{name}: a constant of shape {array.shape}, expected one that broadcasts to (1, *{shape})"
        ) from None
    return array if array.ndim <= len(shape) else np.array(whole[0])
