import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from he.model.torch import read

OWN = np.random.default_rng(0)


class Lambda(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)  # type: ignore[no-any-return]


class Noisy(nn.Module):
    """Random in training only, as dropout is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x + torch.randn(4) if self.training else 2 * x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x + torch.rand(4, dtype=torch.float64), r"_tensor_constant0 .* is random"),
        (lambda x: x + torch.randn_like(x), r"randn_like \(randn_like\) is random"),
        (lambda x: x * random.random(), r"mul \(mul\) is random"),
        (lambda x: x * float(np.random.rand()), r"mul \(mul\) is random"),
        (lambda x: x * float(OWN.uniform()), r"mul \(mul\) is random"),
        (lambda x: x * 2 if random.random() >= 0 else x, "Sequential draws random numbers, expected"),
        (lambda x: x * (2 if torch.rand(()) >= 0 else 3), "Sequential draws random numbers, expected"),
    ],
)
def test_random_numbers_are_refused_where_they_are_drawn(function: Any, message: str) -> None:
    """Two draws of a number coincide with a probability below 2^-52, all of them being in float64."""
    with pytest.raises(TypeError, match=message + ".*"):
        read(nn.Sequential(nn.Linear(4, 4), Lambda(function)), np.ones((3, 4)))


def test_what_is_random_in_training_only_is_read() -> None:
    graph, _ = read(Noisy(), np.ones((3, 4)))
    np.testing.assert_array_equal(graph(np.ones((1, 4))), 2 * np.ones((1, 4)))


def test_the_samples_stay_as_they_are_where_layers_work_in_place() -> None:
    x = np.linspace(-1, 1, 12).reshape(3, 4)
    before = x.copy()
    read(nn.Sequential(nn.SiLU(inplace=True), nn.Linear(4, 2)), x)
    np.testing.assert_array_equal(x, before)
