"""Any trained network as a Graph: the reader that recognises it, then polynomials for its activations."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model import onnx, replacement, sklearn, torch
from he.model.chain import chain, graph_of
from he.model.graph import Graph
from he.model.nonlinear import Activation


def read(net: object, samples: ArrayLike | None = None) -> tuple[Graph, NDArray[Any]]:
    """(graph without Activation, classes) of a torch, ONNX or scikit-learn model, list of layers or Graph.

    samples (count, *input shape), for shapes and for the ranges of activations; images may be flattened where
    the network says their shape itself. TypeError for what cannot be read, ValueError for what does not fit.
    """
    graph, classes = _exact(net, samples)
    if samples is None:
        _expect_no_activation(graph)
        return graph, classes
    x = np.asarray(samples, dtype=np.float64)
    if x.shape[1:] != graph.input_shape and math.prod(x.shape[1:]) == math.prod(graph.input_shape):
        x = x.reshape(len(x), *graph.input_shape)
    return replacement.replace(graph, x), classes


def _exact(net: object, samples: ArrayLike | None) -> tuple[Graph, NDArray[Any]]:
    for reader in (sklearn, torch, onnx):
        if reader.recognises(net):
            graph, classes = reader.read(net, samples)
            return graph, classes
    if isinstance(net, Graph):
        graph = net
    elif isinstance(net, Sequence) and not isinstance(net, str):
        graph = graph_of(chain(net))
    else:
        raise TypeError(
            f"{type(net).__name__} given, expected a scikit-learn or torch model, an .onnx file, "
            "an onnx.ModelProto, or a list of layers"
        )
    return graph, np.arange(max(2, math.prod(graph.output_shape)))


def _expect_no_activation(graph: Graph) -> None:
    for node in graph.nodes:
        if isinstance(node.layer, Activation):
            raise ValueError(
                f"no samples given, expected at least {replacement.MIN_SAMPLES} to fit the range of "
                f"{node.name}"
            )
