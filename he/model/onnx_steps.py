"""Nodes of an ONNX graph, one after the other, into nodes of a Graph."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from he.model.builder import Builder
from he.model.graph import INPUT
from he.model.onnx_nodes import Step, as_doubles, label
from he.model.onnx_operations import OPERATIONS
from he.model.operation import Context, Value
from he.model.refusals import INSTEAD, Refused, alternative

Array: TypeAlias = NDArray[Any]

# Entries in another order or shape: read off what the node does with numbered entries.
MOVES = (
    *("Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Gather", "Split", "Expand"),
    *("DepthToSpace", "SpaceToDepth"),
)
NOTHING = ("Identity", "Dropout", "Cast")
LAST_ONLY = ("Softmax", "LogSoftmax", "ArgMax")
SHAPES = ("Shape", "Size")
RANDOM = (
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"),
)
DOMAINS = ("", "ai.onnx")
FLOAT_TYPES = (1, 10, 11, 16)


def expect_known(graph: Any) -> None:
    """TypeError for the first node that is random, or takes what the input gives and is not known."""
    constants = {tensor.name for tensor in graph.initializer}
    dependent = {value.name for value in graph.input} - constants
    known = {*OPERATIONS, *MOVES, *NOTHING, *LAST_ONLY, *SHAPES}
    for node in graph.node:
        if node.op_type in RANDOM:
            raise Refused(f"{label(node)} is random, expected a network that gives the same scores each time")
        if not dependent.intersection(node.input):
            continue
        if node.domain not in DOMAINS:
            raise Refused(
                f"{label(node)} of domain {node.domain!r} cannot be read, expected ONNX's own operators: "
                "give he.compile the scikit-learn or torch model itself"
            )
        if node.op_type not in known:
            raise Refused(f"{label(node)} cannot be read, expected {alternative(node.op_type)}")
        if node.op_type not in SHAPES:
            dependent.update(node.output)


def translate(
    steps: Sequence[Step],
    constants: dict[str, Array],
    given: tuple[str, Array],
    output: str,
    builder: Builder,
) -> tuple[int, Array]:
    """(the output among the builder's values, what it is on the samples).

    constants: by name. given: the input's name and samples. output: its name.
    """
    reading = _Reading(steps, builder)
    reading.values |= {name: as_doubles(array) for name, array in constants.items()} | dict([given])
    reading.places[given[0]] = INPUT
    for step in steps:
        reading.take(step)
    if output not in reading.places:
        raise ValueError(f"output {output} does not depend on the input, expected scores that do")
    return reading.places[output], reading.values[output]


class _Reading:
    """values: of every tensor so far, on the samples. places: of those that depend on the input."""

    def __init__(self, steps: Sequence[Step], builder: Builder) -> None:
        self.steps, self.builder = steps, builder
        self.values: dict[str, Array] = {}
        self.places: dict[str, int] = {}

    def take(self, step: Step) -> None:
        """One node."""
        node, operation = step.node, step.node.op_type
        sources = [name for name in node.input if name in self.places]
        if operation in NOTHING and sources:
            self._expect_nothing(step)
            self._same(node.input[0], node.output[0])
        elif operation in LAST_ONLY and sources:
            self._last(step)
        elif operation in MOVES and sources:
            self._move(step)
        elif operation == "AveragePool" and sources:
            self._pool(step)
        else:
            results = step.run(*self._inputs(step))
            self.values |= dict(zip(node.output, results, strict=True))
            if sources and operation not in SHAPES:
                self.places[node.output[0]] = self._operation(step, results[0], sources)

    def _pool(self, step: Step) -> None:
        """By our own layers: the reference evaluator errs where windows overhang."""
        source, result = step.node.input[0], step.node.output[0]
        operation, value = OPERATIONS["AveragePool"], self.values[source]
        alone = Builder(value.shape[1:])
        place = operation(Context(alone, step.label, None), step, Value(INPUT))
        self.values[result] = alone.graph(place)(value)
        context = Context(self.builder, step.label, None)
        self.places[result] = operation(context, step, Value(self.places[source]))

    def _inputs(self, step: Step) -> list[Array | None]:
        missing = [name for name in step.node.input if name and name not in self.values]
        if missing:
            raise ValueError(f"{step.label} takes {missing[0]}, expected a tensor that is computed before it")
        return [self.values[name] if name else None for name in step.node.input]

    def _same(self, source: str, result: str) -> None:
        self.places[result], self.values[result] = self.places[source], self.values[source]

    def _expect_nothing(self, step: Step) -> None:
        inputs = self._inputs(step)
        if step.node.op_type == "Dropout" and len(inputs) > 2 and inputs[2] is not None and inputs[2].any():
            raise Refused(f"{step.label} has training_mode set, expected it without: it is random")
        if step.node.op_type == "Cast" and step.attributes["to"] not in FLOAT_TYPES:
            raise Refused(f"{step.label} rounds to ONNX type {step.attributes['to']}, expected a float type")

    def _last(self, step: Step) -> None:
        """A softmax or argmax over the scores with nothing behind it: the scores stand for it."""
        source, result = step.node.input[0], step.node.output[0]
        default = {"ArgMax": 0}.get(step.node.op_type, -1)
        over_scores = self.values[source].ndim == 2 and step.attributes.get("axis", default) in (1, -1)
        users = [s for s in self.steps if result in s.node.input]
        if not over_scores or not all(s.node.op_type in LAST_ONLY for s in users):
            raise Refused(f"{step.label} cannot be read, expected {INSTEAD['softmax']}")
        self._same(source, result)

    def _operation(self, step: Step, result: Array, sources: list[str]) -> int:
        arguments = [
            Value(self.places[name]) if name in self.places else self.values[name] if name else None
            for name in step.node.input
        ]
        place = OPERATIONS[step.node.op_type](Context(self.builder, step.label, result), step, *arguments)
        shape = tuple(result.shape[1:]) or (1,)
        if self.builder.shape(place) != shape or len(result) != len(self.values[sources[0]]):
            raise Refused(f"{step.label} mixes samples or gives {result.shape}, expected the batch first")
        return place

    def _move(self, step: Step) -> None:
        """The node on numbered entries says where each entry comes from."""
        source, *others = step.node.input
        if source not in self.places or any(name in self.places for name in others):
            raise Refused(f"{step.label} takes places from the input, expected constant ones")
        x = self.values[source]
        size = x[0].size
        numbered = np.arange(x.size, dtype=np.float64).reshape(x.shape)
        inputs = self._inputs(step)
        results = step.run(numbered, *inputs[1:])
        for name, moved, value in zip(step.node.output, results, step.run(*inputs), strict=True):
            origin = moved.reshape(len(moved), -1) - size * np.arange(len(moved))[:, None]
            if (
                len(moved) != len(x)
                or (origin != origin[0]).any()
                or not 0 <= origin.min() <= origin.max() < size
            ):
                raise Refused(f"{step.label} gives {moved.shape} for {x.shape}, expected the batch first")
            order = np.atleast_1d(moved[0]).astype(np.intp)
            self.places[name] = self.builder.reindex(step.label, self.places[source], order)
            self.values[name] = value
