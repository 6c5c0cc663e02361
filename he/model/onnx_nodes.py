"""Step: a node of an ONNX graph that can be run by itself, by the reference evaluator of the package onnx."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from he.model.nonlinear import Activation

EXACT = {"Erf": Activation("erf"), "Gelu": Activation("gelu")}
"""Operators that the reference evaluator rounds to single precision, and their functions in float64."""


@dataclass(frozen=True)
class Step:
    """node: a NodeProto. opsets: (domain, version) of the operators that the model uses."""

    node: Any
    opsets: tuple[tuple[str, int], ...]

    @property
    def label(self) -> str:
        """For plans and errors: "conv1 (Conv)"."""
        return label(self.node)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """By name, texts as str."""
        from onnx import helper

        values = {a.name: helper.get_attribute_value(a) for a in self.node.attribute}
        return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}

    def run(self, *inputs: NDArray[Any] | None) -> list[NDArray[Any]]:
        """What the node gives, reals in float64; ValueError names it if it cannot be run on these inputs."""
        if self.node.op_type in EXACT and inputs[0] is not None:
            return [EXACT[self.node.op_type](inputs[0])]
        names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
        feeds = {name: x for name, x in zip(names, inputs, strict=True) if x is not None}
        shapes = ", ".join(str(x.shape) for x in feeds.values())
        try:
            results = self._evaluator(names).run(None, feeds)
        except Exception as problem:  # whatever the package's own code raises for what it cannot do
            raise ValueError(f"{self.label}: inputs of shapes {shapes}: {problem}") from problem
        return [as_doubles(np.asarray(result)) for result in results]

    def _evaluator(self, names: list[str]) -> Any:
        from onnx import NodeProto, helper
        from onnx.reference import ReferenceEvaluator

        alone = NodeProto()
        alone.CopyFrom(self.node)
        del alone.input[:]
        alone.input.extend(names)

        def tensors(given: Any) -> list[Any]:
            return [helper.make_tensor_value_info(name, 0, None) for name in given if name]

        graph = helper.make_graph([alone], "step", tensors(names), tensors(self.node.output))
        opsets = [helper.make_opsetid(domain, version) for domain, version in self.opsets]
        return ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))


def label(node: Any) -> str:
    """A node's name, or that of its first output, and its operator."""
    return f"{node.name or (node.output[0] if node.output else '?')} ({node.op_type})"


def as_doubles(array: NDArray[Any]) -> NDArray[Any]:
    """Reals in float64, all else as it is."""
    return array.astype(np.float64) if array.dtype.kind == "f" else array
