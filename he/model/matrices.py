"""Linear layers as sparse matrices on flattened samples: what is left of them when they are encrypted."""

from typing import Any, TypeAlias

import numpy as np

from he.model.convolution import Floats, Shape
from he.model.layers import Add, Concat, Conv, Dense, Linear, Reindex, Scale

Sparse: TypeAlias = Any  # scipy.sparse.csr_array


def matrices(layer: Linear, *shapes: Shape) -> tuple[list[Sparse], Floats]:
    """(M_1, ..., M_n), b with layer(x_1, ..., x_n) = sum_i M_i x_i + b on flattened inputs of these shapes.

    M_i: SciPy's csr_array (outputs, entries of input i) without zeros; b (outputs,).
    """
    from scipy import sparse

    sizes = [int(np.prod(shape)) for shape in shapes]
    if isinstance(layer, Dense):
        return [sparse.csr_array(layer.weights)], layer.bias
    if isinstance(layer, Conv):
        return _conv(layer, shapes[0])
    if isinstance(layer, Scale):
        factor = np.broadcast_to(layer.factor, shapes[0]).ravel()
        offset = np.array(np.broadcast_to(layer.offset, shapes[0])).ravel()
        return [_entries(factor, np.arange(sizes[0]), np.arange(sizes[0]), sizes[0], sizes[0])], offset
    if isinstance(layer, Reindex):
        source = layer.source.ravel()
        ones, rows = np.ones(len(source)), np.arange(len(source))
        return [_entries(ones, rows, source, len(source), sizes[0])], np.zeros(len(source))
    if isinstance(layer, Add):
        return [sparse.csr_array(sparse.eye_array(sizes[0])) for _ in shapes], np.zeros(sizes[0])
    return _concat(layer, shapes)


def _conv(layer: Conv, shape: Shape) -> tuple[list[Sparse], Floats]:
    """Entry (o, y, x) takes weights[o, c, i, j] of channel c of its group, at the place under (i, j)."""
    places = layer.windows(shape).places()
    outputs, channels, height, width = layer.weights.shape
    o, c, i, j, y, x = np.indices((outputs, channels, height, width, *places.shape[2:])).reshape(6, -1)
    inside = places[i, j, y, x] >= 0
    channel = o // (outputs // layer.groups) * channels + c
    rows = (o * places.shape[2] + y) * places.shape[3] + x
    columns = channel * (shape[1] * shape[2]) + places[i, j, y, x]
    values = layer.weights[o, c, i, j]
    count = places.shape[2] * places.shape[3]
    size = (outputs * count, int(np.prod(shape)))
    return [_entries(values[inside], rows[inside], columns[inside], *size)], np.repeat(layer.bias, count)


def _concat(layer: Concat, shapes: tuple[Shape, ...]) -> tuple[list[Sparse], Floats]:
    sizes = [int(np.prod(shape)) for shape in shapes]
    numbered = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    arrays = [part.reshape(1, *shape).astype(float) for part, shape in zip(numbered, shapes, strict=True)]
    source = layer(*arrays).ravel().astype(np.intp)
    parts = []
    for part in numbered:
        rows = np.flatnonzero((source >= part[0]) & (source <= part[-1]))
        parts.append(_entries(np.ones(len(rows)), rows, source[rows] - part[0], len(source), len(part)))
    return parts, np.zeros(len(source))


def _entries(values: Any, rows: Any, columns: Any, height: int, width: int) -> Sparse:
    from scipy import sparse

    matrix = sparse.csr_array(sparse.coo_array((values, (rows, columns)), shape=(height, width)))
    matrix.eliminate_zeros()
    return matrix
