"""Chains of dense and square layers given as a list."""

from collections.abc import Sequence

from he.model.graph import INPUT, Graph, Node
from he.model.layers import Dense
from he.model.nonlinear import Square


def chain(layers: Sequence[object]) -> tuple[Dense | Square, ...]:
    """The layers as a tuple, neighbouring Dense layers merged; ValueError unless they fit one another."""
    merged: list[Dense | Square] = []
    width: int | None = None
    for place, layer in enumerate(layers):
        if not isinstance(layer, Dense | Square):
            raise TypeError(f"layer {place} is {type(layer).__name__}, expected he.Dense or he.Square")
        if isinstance(layer, Dense):
            outputs, inputs = layer.weights.shape
            if width not in (None, inputs):
                raise ValueError(
                    f"layer {place} takes {inputs} inputs, expected {width} from the layer before"
                )
            width = outputs
            if merged and isinstance(merged[-1], Dense):
                before = merged.pop()
                assert isinstance(before, Dense)
                layer = Dense(layer.weights @ before.weights, layer.weights @ before.bias + layer.bias)
        merged.append(layer)
    if width is None:
        raise ValueError(f"{len(merged)} layers and none is Dense, expected at least one")
    return tuple(merged)


def graph_of(layers: Sequence[Dense | Square]) -> Graph:
    """A chain as a graph."""
    width = next(layer.weights.shape[1] for layer in layers if isinstance(layer, Dense))
    nodes = [Node(repr(layer), layer, (place - 1,)) for place, layer in enumerate(layers, start=INPUT + 1)]
    return Graph((width,), tuple(nodes))
