"""Reader for torch modules: traced by torch.fx, each step of the trace becomes nodes of a Graph."""

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model import agreement, torch_steps
from he.model.builder import Builder
from he.model.convolution import Shape
from he.model.graph import Graph
from he.model.torch_trace import trace


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
    agreement.expect_equal(graph, x.numpy(), values[node].numpy())
    graph = agreement.without_last_sigmoid(graph)
    return graph, np.arange(max(2, math.prod(graph.output_shape)))


def _samples(net: Any, samples: ArrayLike | None) -> NDArray[np.float64]:
    """A few samples (TRACED, *input shape); random ones of the right shape if there are too few."""
    if samples is None:
        return agreement.few(None, _features(net))
    given = agreement.checked(samples)
    return agreement.few(given, given.shape[1:])


def _features(net: Any) -> Shape:
    """The input's shape of a network that starts with a Linear layer."""
    for module in net.modules():
        if type(module).__name__ == "Linear":
            return (module.in_features,)
        if any(True for _ in module.parameters(recurse=False)):
            break
    raise ValueError("no samples given, expected some: the shapes inside the network depend on the input's")
