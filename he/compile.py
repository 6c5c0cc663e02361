"""compile(): from a trained model to a plan and its weights."""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he import compiled
from he.ckks.params import CkksSpec
from he.ckks.primes import MAX_BITS
from he.compiled import Model
from he.latency import choose as latency
from he.latency.choose import Planner
from he.layouts import AnyPlan
from he.model import read
from he.model.blocks import Block, of_graph
from he.throughput import choose as throughput
from he.throughput.plan import ThroughputPlan, shapes_of

WITHOUT_SAMPLES_BITS = 40
PRECISION_BITS = {"latency": latency.PRECISION_BITS, "throughput": throughput.PRECISION_BITS}


def compile(
    net: object,
    *,
    samples: ArrayLike | None = None,
    security: int = 128,
    scale_bits: int | None = None,
    spec: CkksSpec | None = None,
    optimise: Literal["latency", "throughput"] = "latency",
    precision: int | None = None,
) -> Model:
    """Compile a trained network for encrypted inference.

    net: a torch module, a scikit-learn estimator or pipeline, a list of he.Dense and he.Square, or a
    he.model.graph.Graph. samples: typical inputs (count, *input shape): polynomials in place of activations
    are fitted to their ranges (at least 32 samples), the scale is chosen on them, their scores are checked
    against what the parameters can hold.
    security: 128, 192 or 256 bits. optimise: 'latency' for the time of one sample, 'throughput' for thousands
    side by side, one feature a ciphertext. precision: bits behind the point that the samples' scores keep, by
    the bound of noise and rounding, by default PRECISION_BITS. scale_bits: a scale of your own instead, 2^40
    by default without samples. spec: all parameters of your own.
    TypeError for a network that cannot be read, ValueError for one that no parameters carry.
    """
    if optimise not in PRECISION_BITS:
        raise ValueError(f"optimise is {optimise!r}, expected 'latency' or 'throughput'")
    graph, classes = read.read(net, samples)
    blocks = of_graph(graph)
    rows = None if samples is None else compiled.rows_of(samples, math.prod(graph.input_shape), graph)
    if rows is None and scale_bits is None:
        scale_bits = WITHOUT_SAMPLES_BITS
    bits = PRECISION_BITS[optimise] if precision is None else precision
    make = _for_latency if optimise == "latency" else _for_throughput
    plan = make(blocks, graph.input_shape, rows, security, scale_bits, spec, bits)
    model = Model(plan, blocks, classes)
    if rows is not None:
        _check_scores(model, rows)
    return model


def _for_latency(
    blocks: tuple[Block, ...],
    shape: tuple[int, ...],
    rows: NDArray[np.float64] | None,
    security: int,
    scale_bits: int | None,
    spec: CkksSpec | None,
    precision: int,
) -> AnyPlan:
    planner = Planner(blocks, shape, security)
    if spec is not None:
        return planner.with_spec(spec)
    if scale_bits is not None or rows is None:
        return planner.with_scale(scale_bits or WITHOUT_SAMPLES_BITS)
    return planner.with_precision(rows, precision)


def _for_throughput(
    blocks: tuple[Block, ...],
    shape: tuple[int, ...],
    rows: NDArray[np.float64] | None,
    security: int,
    scale_bits: int | None,
    spec: CkksSpec | None,
    precision: int,
) -> AnyPlan:
    features = math.prod(shape)
    if spec is not None:
        return ThroughputPlan.make(spec, features, shapes_of(blocks))
    if scale_bits is not None or rows is None:
        return throughput.with_scale(blocks, features, scale_bits or WITHOUT_SAMPLES_BITS, MAX_BITS, security)
    return throughput.choose(blocks, features, rows, security=security, precision=precision)


def _check_scores(model: Model, samples: ArrayLike) -> None:
    largest = float(np.abs(model.predict_clear(samples)).max())
    if largest >= model.plan.largest_score:
        raise ValueError(
            f"the samples' scores reach {largest:.6g}, expected less than {model.plan.largest_score:.6g}: "
            "scale the last layer down or take fewer scale_bits"
        )
