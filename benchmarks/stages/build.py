"""Compile TenSEAL's tutorial network for this size: the plan, which is public, and the server's model."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

import he
from benchmarks.stages.client_preprocess_input import normalised
from benchmarks.stages.instance import Instance, stage

SHARED = Path(__file__).parents[3] / "shared"
WEIGHTS, IMAGES = SHARED / "weights" / "convmnist_square.npz", SHARED / "data" / "mnist.npz"
SAMPLES = 64


class Square(nn.Module):
    """x -> x^2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of any shape."""
        return x**2


def network() -> nn.Module:
    """conv 4x7x7 stride 3, square, 256 -> 64, square, 64 -> 10, with its published weights."""
    weights = np.load(WEIGHTS)
    convolution, hidden, last = nn.Conv2d(1, 4, 7, stride=3), nn.Linear(256, 64), nn.Linear(64, 10)
    values = (
        (convolution.weight, weights["conv1_weight"].reshape(4, 1, 7, 7)),
        (convolution.bias, weights["conv1_bias"]),
        (hidden.weight, weights["fc1_weight"].T),
        (hidden.bias, weights["fc1_bias"]),
        (last.weight, weights["fc2_weight"].T),
        (last.bias, weights["fc2_bias"]),
    )
    with torch.no_grad():
        for parameter, value in values:
            assert parameter is not None  # biases are made by default
            parameter.data = torch.from_numpy(value).float()
    return nn.Sequential(convolution, Square(), nn.Flatten(), hidden, Square(), last).eval()


def main(instance: Instance) -> None:
    """Compile TenSEAL's tutorial network for this size: the plan, which is public, and the server's model."""
    for path in (WEIGHTS, IMAGES):
        if not path.exists():
            raise ValueError(f"{path} is not there: the weights and MNIST are needed to build")
    samples = normalised(np.load(IMAGES)["x_train"][:SAMPLES].reshape(-1, 784) / 255).reshape(-1, 1, 28, 28)
    optimise = "latency" if instance.layout == "latency" else "throughput"
    model = he.compile(network(), samples=samples, optimise=optimise)  # type: ignore[arg-type]
    instance.built.mkdir(parents=True, exist_ok=True)
    (instance.built / "plan").write_bytes(model.plan.to_bytes())
    model.save(instance.built / "model")


if __name__ == "__main__":
    stage(main)
