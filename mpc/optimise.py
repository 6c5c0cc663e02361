"""How parameters follow their gradients, on secret tensors and torch's: SGD with momentum, and Adam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mpc.tensors import combinations, inverse_sqrt, zeros_like

# By name: value and gradient.
Parameters = Mapping[str, tuple[Any, Any]]


@dataclass
class SGD:
    """v <- m v + g + l w, w <- w - a v, as torch.optim.SGD; l2 of 0 or at least 2^-16."""

    learning_rate: float = 0.1
    momentum: float = 0.9
    l2: float = 0.0
    _velocity: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or not 0 <= self.momentum < 1 or (self.l2 and self.l2 < 2.0**-16):
            raise ValueError(
                "learning_rate > 0, 0 <= momentum < 1 and l2 of 0 or at least 2^-16 were expected, "
                f"got {self.learning_rate}, {self.momentum}, {self.l2}"
            )

    def step(self, parameters: Parameters, rows: int, factor: float) -> dict[str, Any]:
        """The new values, from each parameter's value and its gradient, summed over `rows` rows.

        `factor` scales the learning rate. One round on shares for all of them.
        """
        rate, wanted = self.learning_rate * factor, []
        for name, (weight, gradient) in parameters.items():
            velocity = [(1 / rows, gradient), (self.l2, weight)]
            if self.momentum and name in self._velocity:
                velocity.append((self.momentum, self._velocity[name]))
            terms = [(part, tensor) for part, tensor in velocity if part]
            wanted += [terms, [(1.0, weight), *((-rate * part, tensor) for part, tensor in terms)]]
        results = combinations(wanted)
        self._velocity = dict(zip(parameters, results[::2], strict=True))
        return dict(zip(parameters, results[1::2], strict=True))

    def state(self) -> dict[str, Any]:
        """What it remembers, for a checkpoint."""
        return dict(self._velocity)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._velocity = dict(state)


@dataclass
class Adam:
    """Adam (Kingma, Ba, 2015, algorithm 1), with its square root safe in 16 fractional bits.

    Gradients are multiplied by `scale`, which cancels in the step, so that their squares keep some bits:
    root mean squares from 2^-6 / scale to 2^6 / scale (0.0005 to 2) count fully; below that the step shrinks
    as with an epsilon of 2^-6 / scale, above it the training fails. Each step costs five comparisons and
    twenty products a parameter, against none for SGD.
    """

    learning_rate: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    scale: float = 32.0
    _moments: dict[str, tuple[Any, Any, int]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.learning_rate <= 0 or self.scale <= 0 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(
                "learning_rate > 0, scale > 0 and betas from 0 to below 1 were expected, "
                f"got {self.learning_rate}, {self.scale}, {self.betas}"
            )

    def step(self, parameters: Parameters, rows: int, factor: float) -> dict[str, Any]:
        """The new values, from each parameter's value and its gradient, summed over `rows` rows.

        `factor` scales the learning rate.
        """
        return {
            name: self._one(name, weight, gradient.div(rows), factor)
            for name, (weight, gradient) in parameters.items()
        }

    def _one(self, name: str, weight: Any, gradient: Any, factor: float) -> Any:
        first, second = self.betas
        large = gradient * self.scale
        mean, square, steps = self._moments.get(name, (zeros_like(large), zeros_like(large), 0))
        mean = mean * first + large * (1 - first)
        # Kept divided by 1 - beta, or the square of a small gradient would round to nothing.
        square = square * second + large * large
        steps += 1
        self._moments[name] = mean, square, steps
        variance = square * ((1 - second) / (1 - second**steps)) + 2.0**-12
        rate = self.learning_rate * factor / (1 - first**steps)
        return weight - mean * inverse_sqrt(variance, 2.0**-12, 2.0**12) * rate

    def state(self) -> dict[str, Any]:
        """What it remembers, for a checkpoint."""
        return {name: list(moments) for name, moments in self._moments.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._moments = {name: (mean, square, steps) for name, (mean, square, steps) in state.items()}
