"""compile(): from a trained model to a plan and its weights."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he import compiled
from he.ckks.params import CkksSpec
from he.ckks.smallest import smallest_spec
from he.compiled import Model
from he.model import sklearn, torch
from he.model.blocks import of_graph
from he.model.chain import chain, graph_of
from he.model.graph import Graph
from he.model.layers import Dense
from he.model.nonlinear import Square
from he.plan import Plan, Shape, width
from he.throughput import choose
from he.throughput.plan import ThroughputPlan, shapes_of


def compile(
    net: object,
    *,
    samples: ArrayLike | None = None,
    security: int = 128,
    scale_bits: int = 40,
    spec: CkksSpec | None = None,
    optimise: Literal["latency", "throughput"] = "latency",
    precision: int = choose.PRECISION_BITS,
) -> Model:
    """Compile a trained network for encrypted inference.

    net: scikit-learn LogisticRegression (alone or behind StandardScaler), torch Sequential of Linear and
    squares, a list of he.Dense and he.Square, or (for 'throughput') a he.model.graph.Graph. samples: typical
    inputs (count, features); their scores are checked against what the parameters can hold. security: 128,
    192 or 256 bits. scale_bits: precision of the fixed-point arithmetic. spec: parameters of your own instead
    of the smallest secure ones. optimise:
    'latency' for the time of one sample, 'throughput' for thousands side by side, one feature a ciphertext.
    precision: bits behind the point of the scores that 'throughput' keeps on the samples, noise and rounded
    weights counted by their bound.
    TypeError for a network that cannot be read, ValueError for one that no parameters carry.
    """
    if optimise not in ("latency", "throughput"):
        raise ValueError(f"optimise is {optimise!r}, expected 'latency' or 'throughput'")
    if optimise == "throughput":
        return _for_throughput(*_graph(net), samples, security, precision, spec)
    layers, classes = _read(net)
    shapes = _shapes(layers)
    spec = spec or smallest_spec(len(shapes), slots=width(shapes), scale_bits=scale_bits, security=security)
    plan = Plan.make(spec, shapes)
    model = Model(plan, layers, classes)
    if samples is not None:
        _check_scores(model, samples)
    return model


def _for_throughput(
    graph: Graph,
    classes: NDArray[Any],
    samples: ArrayLike | None,
    security: int,
    precision: int,
    spec: CkksSpec | None,
) -> Model:
    blocks, features = of_graph(graph), math.prod(graph.input_shape)
    rows = None if samples is None else compiled.rows_of(samples, features, graph)
    if spec is not None:
        plan = ThroughputPlan.make(spec, features, shapes_of(blocks))
    else:
        plan = choose.choose(blocks, features, rows, security=security, precision=precision)
    model = Model(plan, blocks, classes)
    if rows is not None:
        _check_scores(model, rows)
    return model


def _graph(net: object) -> tuple[Graph, NDArray[Any]]:
    if isinstance(net, Graph):
        return net, np.arange(max(2, math.prod(net.output_shape)))
    layers, classes = _read(net)
    return graph_of(layers), classes


def _read(net: object) -> tuple[tuple[Dense | Square, ...], NDArray[Any]]:
    if sklearn.recognises(net):
        dense, classes = sklearn.read(net)
        return chain(dense), classes
    if torch.recognises(net):
        layers = chain(torch.read(net))
    elif isinstance(net, Sequence):
        layers = chain(net)
    else:
        raise TypeError(
            f"{type(net).__name__} given, expected a scikit-learn or torch model, or a list of layers"
        )
    outputs = _shapes(layers)[-1].outputs
    return layers, np.arange(max(2, outputs))


def _shapes(layers: tuple[Dense | Square, ...]) -> list[Shape]:
    entries = next(layer.weights.shape[1] for layer in layers if isinstance(layer, Dense))
    shapes = []
    for layer in layers:
        if isinstance(layer, Dense):
            shapes.append(Shape("dense", entries, layer.weights.shape[0]))
            entries = layer.weights.shape[0]
        else:
            shapes.append(Shape("square", entries, entries))
    return shapes


def _check_scores(model: Model, samples: ArrayLike) -> None:
    largest = float(np.abs(model.predict_clear(samples)).max())
    if largest >= model.plan.largest_score:
        raise ValueError(
            f"the samples' scores reach {largest:.6g}, expected less than {model.plan.largest_score:.6g}: "
            "scale the last layer down or take fewer scale_bits"
        )
