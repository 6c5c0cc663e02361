"""Reader for torch modules: traced by torch.fx, each step of the trace becomes nodes of a Graph."""

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model import torch_steps
from he.model.builder import Builder
from he.model.convolution import Shape
from he.model.graph import Graph
from he.model.nonlinear import Activation
from he.model.torch_trace import trace

TRACED = 3
"""Samples that the network is run on while it is read: more than one, to see which axis is the batch's."""
ROUNDING = 1e-9
"""How far the graph may be from the network on them, relative to the largest output: float64, long sums."""


def recognises(net: object) -> bool:
    """Whether `net` is a torch module; torch is not imported to find out."""
    return any(c.__module__.startswith("torch.nn") and c.__name__ == "Module" for c in type(net).__mro__)


def read(net: Any, samples: ArrayLike | None = None) -> tuple[Graph, NDArray[Any]]:
    """(graph, classes 0, 1, ...) of a module in evaluation mode, read in float64.

    samples (count, *input shape): for the shapes; a network that starts with a Linear needs none. A softmax,
    log-softmax or argmax at the end is left out: the order of the scores is the same; so is a sigmoid, whose
    scores have the sign that tells the class. TypeError names a layer
    that cannot be read, with what to take instead; ValueError says what does not fit.
    """
    import torch

    x = torch.from_numpy(_samples(net, samples))
    traced = trace(copy.deepcopy(net).double().eval().cpu())
    with torch.no_grad():
        values = torch_steps.run(traced, x)
    builder = Builder(tuple(x.shape[1:]))
    output, node = torch_steps.translate(traced, values, builder)
    graph = builder.graph(output)
    _expect_equal(graph, x.numpy(), values[node].numpy())
    graph = _without_last_sigmoid(graph)
    return graph, np.arange(max(2, math.prod(graph.output_shape)))


def _without_last_sigmoid(graph: Graph) -> Graph:
    """Its values lie above 0 for both classes, where those before it differ in sign."""
    *before, last = graph.nodes
    if before and last.layer == Activation("sigmoid"):
        return Graph(graph.input_shape, tuple(before))
    return graph


def _samples(net: Any, samples: ArrayLike | None) -> NDArray[np.float64]:
    """A few samples (TRACED, *input shape); random ones of the right shape if there are too few."""
    given = None if samples is None else np.asarray(samples, dtype=np.float64)
    if given is not None and (given.ndim < 2 or len(given) == 0):
        raise ValueError(f"samples have shape {given.shape}, expected (count, *input shape)")
    if given is not None and not np.isfinite(given).all():
        raise ValueError("samples hold NaN or infinity, expected finite numbers")
    shape = _features(net) if given is None else given.shape[1:]
    random = np.random.default_rng(0).uniform(-1, 1, (TRACED, *shape))
    return random if given is None else np.concatenate([given, random])[:TRACED].copy()


def _features(net: Any) -> Shape:
    """The input's shape of a network that starts with a Linear layer."""
    for module in net.modules():
        if type(module).__name__ == "Linear":
            return (module.in_features,)
        if any(True for _ in module.parameters(recurse=False)):
            break
    raise ValueError("no samples given, expected some: the shapes inside the network depend on the input's")


def _expect_equal(graph: Graph, x: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Against code that the trace does not show, such as branches on values."""
    error = float(np.abs(graph(x).ravel() - expected.ravel()).max())
    if not error <= ROUNDING * max(1.0, float(np.abs(expected).max())):
        raise ValueError(
            f"the graph read from the network differs from it by {error:.3g} on samples, expected equality: "
            "does it depend on more than its input?"
        )
