"""The layers that a plan is made of: Dense and Square."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Dense:
    """x -> W x + b; weights of shape (outputs, inputs), bias (outputs,) or 0."""

    weights: NDArray[np.float64] = field()
    bias: NDArray[np.float64] = field()

    def __init__(self, weights: ArrayLike, bias: ArrayLike = 0.0) -> None:
        w = np.array(weights, dtype=np.float64)
        if w.ndim != 2 or 0 in w.shape:
            raise ValueError(f"weights have shape {w.shape}, expected (outputs, inputs)")
        given = np.array(bias, dtype=np.float64)
        if given.shape not in ((), (w.shape[0],)):
            raise ValueError(
                f"bias has shape {given.shape}, expected ({w.shape[0]},) for {w.shape[0]} outputs"
            )
        b = np.array(np.broadcast_to(given, (w.shape[0],)))
        if not (np.isfinite(w).all() and np.isfinite(b).all()):
            raise ValueError("weights or bias hold NaN or infinity, expected finite numbers")
        if not w.any():
            raise ValueError(f"all {w.size} weights are zero, expected a layer that depends on its input")
        for name, array in (("weights", w), ("bias", b)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The layer in the clear: x (batch, inputs) -> (batch, outputs)."""
        return x @ self.weights.T + self.bias

    def __repr__(self) -> str:
        return f"Dense({self.weights.shape[1]} -> {self.weights.shape[0]})"


@dataclass(frozen=True)
class Square:
    """x -> x^2, element by element."""

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The layer in the clear."""
        return x * x


Layer: TypeAlias = Dense | Square


def chain(layers: Sequence[object]) -> tuple[Layer, ...]:
    """The layers as a tuple, neighbouring Dense layers merged; ValueError unless they fit one another."""
    merged: list[Layer] = []
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
