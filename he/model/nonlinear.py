"""The layers that are not linear, entry by entry: squares, polynomials, and what those stand for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias, cast

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike

from he.model.checks import expect_finite, freeze
from he.model.convolution import Floats, Shape

ActivationKind: TypeAlias = Literal["relu", "gelu", "silu", "sigmoid", "tanh", "softplus", "erf"]


@dataclass(frozen=True)
class Square:
    """x -> x^2, element by element."""

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        return shape

    def __call__(self, x: Floats) -> Floats:
        """x (batch, ...) -> the same shape."""
        return x * x


@dataclass(frozen=True, eq=False, repr=False)
class Polynomial:
    """x -> sum_k c_k T_k((2 x - a - b) / (b - a)) entry by entry, T_k Chebyshev's polynomials.

    coefficients (degree + 1,), of degree 1 or more; interval (a, b): where it stands for the function
    `approximates`, or for itself if that is empty.
    """

    coefficients: Floats = field()
    interval: tuple[float, float] = field()
    approximates: str = field()

    def __init__(
        self, coefficients: ArrayLike, interval: tuple[float, float] = (-1.0, 1.0), approximates: str = ""
    ) -> None:
        c = np.array(coefficients, dtype=np.float64)
        if c.ndim != 1 or len(c) < 2 or c[-1] == 0:
            raise ValueError(f"coefficients have shape {c.shape}, expected (2 or more,), the last not 0")
        a, b = interval
        if not a < b:
            raise ValueError(f"interval is {interval}, expected two ascending numbers")
        expect_finite("coefficients or interval", c, np.array(interval))
        freeze(self, coefficients=c)
        object.__setattr__(self, "interval", (float(a), float(b)))
        object.__setattr__(self, "approximates", approximates)

    @classmethod
    def from_monomials(cls, coefficients: ArrayLike, interval: tuple[float, float] = (-1.0, 1.0)) -> Self:
        """The polynomial sum_k c_k x^k, coefficients (degree + 1,) from the constant on."""
        a, b = interval
        shifted = np.polynomial.Polynomial(np.asarray(coefficients, dtype=np.float64))
        inner = shifted(np.polynomial.Polynomial([(a + b) / 2, (b - a) / 2]))
        return cls(chebyshev.poly2cheb(inner.coef), interval)

    @property
    def degree(self) -> int:
        """The highest power."""
        return len(self.coefficients) - 1

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        return shape

    def __call__(self, x: Floats) -> Floats:
        """x (batch, ...) -> the same shape."""
        a, b = self.interval
        return cast(Floats, chebyshev.chebval((2 * x - a - b) / (b - a), self.coefficients))

    def __repr__(self) -> str:
        stands = f"{self.approximates} by " if self.approximates else ""
        return f"Polynomial({stands}degree {self.degree} on [{self.interval[0]:.4g}, {self.interval[1]:.4g}])"


@dataclass(frozen=True)
class Activation:
    """A function that ciphertexts cannot take as it is: a Polynomial has to stand in for it."""

    kind: ActivationKind

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape."""
        return shape

    def __call__(self, x: Floats) -> Floats:
        """The exact function on x (batch, ...), as torch.nn.functional has it."""
        return _EXACT[self.kind](x)


Power: TypeAlias = Square | Polynomial


def _gelu(x: Floats) -> Floats:
    return 0.5 * x * (1.0 + _erf(x / np.sqrt(2.0)))


def _erf(x: Floats) -> Floats:
    from scipy.special import erf

    return cast(Floats, erf(x))


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1.0 + np.tanh(0.5 * x))  # overflows nowhere


_EXACT: dict[str, Callable[[Floats], Floats]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "gelu": _gelu,
    "silu": lambda x: x * _sigmoid(x),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "erf": _erf,
}
