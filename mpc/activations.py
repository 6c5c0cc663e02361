"""GELU and SiLU of secret tensors, which CrypTen lacks: 6 rounds and 41 bytes an entry, with gradient.

Between two bounds a Fourier series (mpc.protocols.harmonics) gives x Phi(x) or x sigmoid(x) at once, without
a product; below the function is 0 and above it is x, within a unit of 2^-16. Both tests run together and give
what x exceeds the upper bound by at no further cost. The derivative is a series of the same bounded argument:
two rounds, and two for its product with the gradient. Bytes are those sent to each other party; values are
within two units of 2^-16 everywhere, gradients within four.

Security, semi-honest, against all parties but one, and against the dealer alone: as that of the tests
(mpc.protocols.compare) and the series, between which only linear maps of shares are taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from mpc.protocols.gates import GELU_HALF, GELU_SLOPE, SILU_QUARTER, SILU_SLOPE
from mpc.protocols.harmonics import Series
from mpc.smooth import SCALE_BITS, clamp, fits, values


class Gate(NamedTuple):
    """A function x g(x) with g from 0 to 1: its series over 2^halvings, and its derivative's."""

    series: Series
    halvings: int
    slope: Series


GELU = Gate(GELU_HALF, 1, GELU_SLOPE)
SILU = Gate(SILU_QUARTER, 2, SILU_SLOPE)


def add_activations(crypten: Any) -> None:
    """Give secret tensors the methods `gelu` and `silu`, with gradients; done once."""
    for name, gate in (("gelu", GELU), ("silu", SILU)):
        setattr(crypten.mpc.MPCTensor, name, _method(crypten, gate))
        function = type(f"Autograd{name.capitalize()}", (crypten.gradients.AutogradFunction,), {})
        function.forward = staticmethod(_forward(crypten, gate))  # type: ignore[attr-defined]
        function.backward = staticmethod(_backward(crypten, gate))  # type: ignore[attr-defined]
        crypten.gradients.register_function(name)(function)


def _method(crypten: Any, gate: Gate) -> Callable[[Any], Any]:
    return lambda self: _value(crypten, gate, *_bounded(crypten, gate, self))


def _forward(crypten: Any, gate: Gate) -> Callable[[Any, Any], Any]:
    def forward(ctx: Any, input: Any) -> Any:
        inside, above = _bounded(crypten, gate, input)
        ctx.save_for_backward(inside)
        return _value(crypten, gate, inside, above)

    return forward


def _backward(crypten: Any, gate: Gate) -> Callable[[Any, Any], Any]:
    def backward(ctx: Any, grad_output: Any) -> Any:
        (inside,) = ctx.saved_tensors
        return values(crypten, inside, gate.slope).mul(grad_output)

    return backward


def _bounded(crypten: Any, gate: Gate, x: Any) -> tuple[Any, Any]:
    """x moved between the bounds of the series, and what it exceeds the upper one by: four rounds."""
    if not fits(x):
        raise ValueError(f"{SCALE_BITS} fractional bits were expected, got {math.log2(x.encoder._scale):g}")
    return clamp(crypten, x, gate.series.low, gate.series.high)


def _value(crypten: Any, gate: Gate, inside: Any, above: Any) -> Any:
    """With one fractional bit more for each halving of the series the words are those of the function."""
    return values(crypten, inside, gate.series, result_bits=SCALE_BITS + gate.halvings) + above
