"""Reader for ONNX models: files or ModelProtos, node by node into a Graph, in float64."""

import math
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he.model import agreement, onnx_steps
from he.model.builder import Builder
from he.model.convolution import Shape
from he.model.graph import Graph
from he.model.onnx_nodes import Step
from he.model.refusals import Refused

FLOATS = (1, 10, 11)
"""TensorProto's float, float16 and double."""
LARGEST_BATCH = 1 << 12
"""Of a model that fixes it: all of it is run while the model is read."""


def recognises(net: object) -> bool:
    """Whether `net` is an onnx.ModelProto or the path of an .onnx file; onnx is not imported to find out."""
    if isinstance(net, str | PathLike):
        return Path(net).suffix == ".onnx"
    return type(net).__module__.startswith("onnx") and type(net).__name__ == "ModelProto"


def read(net: Any, samples: ArrayLike | None = None) -> tuple[Graph, NDArray[Any]]:
    """(graph, classes 0, 1, ...) of a model with one input, the batch first, and one output.

    samples (count, *input shape): needed where the model leaves its input's shape open; a softmax, argmax or
    sigmoid at the end is left out as for torch. TypeError names a node that cannot be read, with what to take
    instead; ValueError says what is corrupt or does not fit, ImportError how to install the package onnx.
    """
    model = _load(net)
    onnx_steps.expect_known(model.graph)
    _expect_sound(model)
    (name, batch, declared), output = _input(model.graph), _output(model.graph)
    x = _samples(declared, samples, batch or agreement.TRACED)
    builder = Builder(tuple(x.shape[1:]))
    opsets = tuple((entry.domain, entry.version) for entry in model.opset_import)
    steps = [Step(node, opsets) for node in model.graph.node]
    place, expected = onnx_steps.translate(steps, _constants(model.graph), (name, x), output, builder)
    graph = builder.graph(place)
    agreement.expect_equal(graph, x, expected)
    graph = agreement.without_last_sigmoid(graph)
    return graph, np.arange(max(2, math.prod(graph.output_shape)))


def _load(net: Any) -> Any:
    """The ModelProto, with functions of its own written out."""
    try:
        import onnx
        from onnx import inliner
    except ImportError as error:
        raise ImportError("ONNX models need onnx: pip install 'latticework[models]'") from error
    if not isinstance(net, str | PathLike):
        return inliner.inline_local_functions(net) if net.functions else net
    try:
        model = onnx.load(str(net))
    except OSError:
        raise
    except Exception as problem:  # protobuf's and onnx's own errors, and those of damaged external data
        raise ValueError(
            f"{net} is not an ONNX model ({problem}), expected a file that onnx.load reads: export it again"
        ) from problem
    return inliner.inline_local_functions(model) if model.functions else model


def _expect_sound(model: Any) -> None:
    from onnx import checker

    try:
        checker.check_model(model)
    except (checker.ValidationError, ValueError) as problem:
        raise ValueError(
            f"the ONNX model is corrupt ({problem}), expected one that onnx.checker accepts: export it again"
        ) from problem


def _constants(graph: Any) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    constants = {}
    for tensor in graph.initializer:
        try:
            constants[tensor.name] = numpy_helper.to_array(tensor)
        except Exception as problem:  # the package says it by errors of many kinds
            raise ValueError(f"constant {tensor.name} is corrupt ({problem}): export it again") from problem
    return constants


def _input(graph: Any) -> tuple[str, int, tuple[int, ...] | None]:
    """(name, size of the batch, shape of a sample): 0 where a size is open, None for no shape at all."""
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise Refused(f"the ONNX model takes {len(inputs)} inputs ({names}), expected one")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in FLOATS:
        raise Refused(f"input {inputs[0].name} has ONNX type {tensor.elem_type}, expected float or double")
    if not tensor.HasField("shape"):
        return inputs[0].name, 0, None
    sizes = [axis.dim_value for axis in tensor.shape.dim]
    if len(sizes) < 2:
        raise Refused(f"input {inputs[0].name} has shape {tuple(sizes)}, expected the batch first")
    if sizes[0] > LARGEST_BATCH:
        raise ValueError(f"the ONNX model takes batches of {sizes[0]}, expected at most {LARGEST_BATCH}")
    return inputs[0].name, sizes[0], tuple(sizes[1:])


def _output(graph: Any) -> str:
    if len(graph.output) != 1:
        names = ", ".join(value.name for value in graph.output) or "none"
        raise Refused(
            f"the ONNX model gives {len(graph.output)} outputs ({names}), expected the scores alone"
        )
    return str(graph.output[0].name)


def _samples(declared: Shape | None, samples: ArrayLike | None, count: int) -> NDArray[np.float64]:
    """A few samples of the shape that the model declares, open sizes as in the samples given."""
    if samples is None:
        if declared is None or 0 in declared:
            raise ValueError(
                f"no samples given, expected some: the ONNX model leaves its input's shape open ({declared})"
            )
        return agreement.few(None, declared, count)
    given = agreement.checked(samples)
    shape = given.shape[1:]
    if declared is not None and not _fits(shape, declared):
        if math.prod(shape) != math.prod(declared):
            raise ValueError(
                f"samples have shape {given.shape}, expected (count, *{declared}), 0 for any size"
            )
        shape = declared
    return agreement.few(given.reshape(len(given), *shape), shape, count)


def _fits(shape: Shape, declared: Shape) -> bool:
    return len(shape) == len(declared) and all(d in (0, n) for n, d in zip(shape, declared, strict=True))
