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
from he.model.torch_randomness import traced_twice
from he.model.torch_steps import Translated


def recognises(net: object) -> bool:
    """Whether `net` is a torch module; torch is not imported to find out."""
    return any(c.__module__.startswith("torch.nn") and c.__name__ == "Module" for c in type(net).__mro__)


def read(net: Any, samples: ArrayLike | None = None) -> tuple[Graph, NDArray[Any]]:
    """(graph, classes 0, 1, ...) of a module in evaluation mode, read in float64.

    samples (count, *input shape): for the shapes; a network that starts with a Linear needs none. A softmax,
    log-softmax or argmax at the end is left out: the order of the scores is the same; so is a sigmoid, whose
    scores have the sign that tells the class. TypeError names a layer that cannot be read, with what to take
    instead; ValueError says what does not fit.
    """
    graph = agreement.without_last_sigmoid(translated(net, _samples(net, samples))[1])
    return graph, np.arange(max(2, math.prod(graph.output_shape)))


def translated(net: Any, x: NDArray[np.float64]) -> tuple[Translated, Graph]:
    """(trace of the network as values of a builder, its graph), which agree on samples x (count, *shape)."""
    import torch

    traced, values = traced_twice(copy.deepcopy(net).double().eval().cpu(), torch.from_numpy(x))
    found = torch_steps.translate(traced, values, Builder(tuple(x.shape[1:])))
    graph = found.builder.graph(found.output)
    agreement.expect_equal(graph, x, values[found.step].numpy())
    return found, graph


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
