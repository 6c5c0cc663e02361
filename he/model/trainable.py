"""Trainable: a polynomial in place of an activation, as a torch module whose coefficients are parameters."""

import torch
from torch import Tensor, nn

from he.model.nonlinear import Polynomial


class Trainable(nn.Module):
    """x -> sum_k c_k T_k((2 x - a - b) / (b - a)), entry by entry; coefficients (degree + 1,).

    approximates: the activation it stands for. Other modules of the network see it as any layer.
    """

    interval: Tensor

    def __init__(self, polynomial: Polynomial, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.tensor(polynomial.coefficients, dtype=dtype))
        self.register_buffer("interval", torch.tensor(polynomial.interval, dtype=dtype))
        self.approximates = polynomial.approximates

    def forward(self, x: Tensor) -> Tensor:
        """By Clenshaw's recurrence (1955), as numpy.polynomial.chebyshev.chebval."""
        a, b = self.interval
        t = (2 * x - a - b) / (b - a)
        ahead = behind = torch.zeros_like(t)
        for c in self.coefficients.flip(0)[:-1]:
            ahead, behind = c + 2 * t * ahead - behind, ahead
        result: Tensor = self.coefficients[0] + t * ahead - behind
        return result

    def extra_repr(self) -> str:
        """For printing the network."""
        a, b = self.interval.tolist()
        return f"{self.approximates} by degree {len(self.coefficients) - 1} on [{a:.4g}, {b:.4g}]"
