"""Graph: a network as the readers give it, nodes in the order in which they are computed."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from he.model.convolution import Floats, Shape
from he.model.layers import Linear
from he.model.nonlinear import Activation, Power

Layer: TypeAlias = Linear | Power | Activation

INPUT = -1
"""Stands for the network's input among the inputs of a node."""


def short_name(name: str, most: int) -> str:
    """A name of `most` letters at most, cut in the middle: a block's has its first and its last layer."""
    half = most // 2 - 1
    return name if len(name) <= most else f"{name[:half]}..{name[-half:]}"


@dataclass(frozen=True)
class Node:
    """name: as in the user's model, for plans and errors. inputs: places of earlier nodes, or INPUT."""

    name: str
    layer: Layer
    inputs: tuple[int, ...] = (INPUT,)


@dataclass(frozen=True)
class Graph:
    """Nodes that fit one another, all of them used; the last is the output.

    input_shape: of one sample. ValueError names the first node that does not fit.
    """

    input_shape: Shape
    nodes: tuple[Node, ...]

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("0 nodes given, expected at least one")
        used = {place for node in self.nodes for place in node.inputs} | {len(self.nodes) - 1}
        for place, node in enumerate(self.nodes):
            if not node.inputs or not all(INPUT <= source < place for source in node.inputs):
                raise ValueError(f"{node.name} takes nodes {node.inputs}, expected earlier ones than {place}")
            if place not in used:
                raise ValueError(f"{node.name} is used by no other node, expected all but the last to be")
        _ = self.shapes

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of each node's output for one sample."""
        shapes: list[Shape] = []
        for node in self.nodes:
            given = [self.input_shape if source == INPUT else shapes[source] for source in node.inputs]
            try:
                shapes.append(node.layer.output_shape(*given))
            except (TypeError, ValueError) as problem:
                raise ValueError(f"{node.name}: {problem}") from None
        return tuple(shapes)

    @property
    def output_shape(self) -> Shape:
        """Of one sample."""
        return self.shapes[-1]

    def __call__(self, x: ArrayLike) -> Floats:
        """x (batch, *input_shape) -> (batch, *output_shape), in the clear."""
        return self.values(x)[-1]

    def values(self, x: ArrayLike) -> list[Floats]:
        """The output of each node for x (batch, *input_shape)."""
        given = np.asarray(x, dtype=np.float64)
        if given.shape[1:] != self.input_shape:
            raise ValueError(f"x has shape {given.shape}, expected (batch, *{self.input_shape})")
        values: list[Floats] = []
        for node in self.nodes:
            values.append(
                node.layer(*(given if source == INPUT else values[source] for source in node.inputs))
            )
        return values
