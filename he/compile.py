"""compile(): from a trained model to a plan and its weights."""

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he import compiled
from he.ckks.params import CkksSpec
from he.compiled import Model
from he.latency import calibrate
from he.latency import choose as latency
from he.latency.plan import Plan
from he.layouts import AnyPlan
from he.model import ranges, read
from he.model.blocks import clear, of_graph
from he.model.nonlinear import Polynomial
from he.throughput import choose as throughput

WITHOUT_SAMPLES_BITS = 40


def compile(
    net: object,
    *,
    samples: ArrayLike | None = None,
    security: int = 128,
    scale_bits: int | None = None,
    spec: CkksSpec | None = None,
    optimise: Literal["latency", "throughput"] = "latency",
    precision: float | None = None,
    keys_bytes: float = math.inf,
) -> Model:
    """Compile a trained network for encrypted inference.

    net: a torch module, an .onnx file or ModelProto, a scikit-learn estimator or pipeline, a list of he.Dense
    and he.Square, or a he.model.graph.Graph. samples: typical inputs (count, *input shape): polynomials in
    place of activations are fitted to their ranges (at least 32 samples), the scale is chosen on them, their
    scores are checked against what the parameters can hold. The plan then holds their rough ranges, so that
    clients are warned of inputs outside.
    security: 128, 192 or 256 bits. optimise: 'latency' for the time of one sample, 'throughput' for thousands
    side by side, one feature a ciphertext. precision: bits behind the point that the samples' scores keep, by
    the bound of noise and rounding, by default so many that it is 2^-5 of the scores' deviation. scale_bits:
    a scale of your own instead, 2^40 by default without samples. spec: all parameters of your own.
    keys_bytes: at most so many bytes of evaluation keys, for more time: print(plan) shows some such pairs.
    TypeError for a network that cannot be read, ValueError for one that no parameters carry.
    """
    if optimise not in ("latency", "throughput"):
        raise ValueError(f"optimise is {optimise!r}, expected 'latency' or 'throughput'")
    compiled.expect_scipy()
    graph, classes = read.read(net, samples)
    blocks = of_graph(graph)
    rows = None if samples is None else compiled.rows_of(samples, math.prod(graph.input_shape), graph)
    planner: latency.Planner | throughput.Planner
    if optimise == "latency":
        planner = latency.Planner(blocks, graph.input_shape, security, calibrate.of_machine(), keys_bytes)
    else:
        planner = throughput.Planner(blocks, graph.input_shape, security)
    plan: AnyPlan
    if spec is not None:
        plan = planner.with_spec(spec)
    elif rows is not None and scale_bits is None:
        plan = planner.with_precision(rows, precision)
    else:
        plan = planner.with_scale(WITHOUT_SAMPLES_BITS if scale_bits is None else scale_bits)
    if isinstance(planner, latency.Planner) and isinstance(plan, Plan):
        plan = planner.with_trade(plan)
    if plan.evaluation_key_bytes > keys_bytes:
        raise ValueError(
            f"keys_bytes is {keys_bytes:.0f}, expected at least {plan.evaluation_key_bytes} for {plan.params}"
        )
    if rows is not None:
        _check_scores(plan, clear(blocks, rows))
        if any(isinstance(b.activation, Polynomial) and b.activation.approximates for b in blocks):
            plan = replace(plan, ranges=ranges.of_samples(rows))
    return Model(plan, blocks, classes)


def _check_scores(plan: AnyPlan, scores: NDArray[np.float64]) -> None:
    largest = float(np.abs(scores).max())
    if largest >= plan.largest_score:
        raise ValueError(
            f"the samples' scores reach {largest:.6g}, expected less than {plan.largest_score:.6g}: "
            "scale the last layer down or take fewer scale_bits"
        )
