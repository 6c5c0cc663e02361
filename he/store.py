"""A model as a file: plan and weights, versioned and checked, nothing in it that could run.

Inside a frame (`he.ckks.frame`) stand a JSON text and the arrays it names, raw, one after another. The JSON
tells layers apart by their names, and each is made anew by its own constructor with all of its checks; only
the kinds listed here exist. Weights are encoded again where the model is used.
"""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from he.ckks import frame
from he.layouts import AnyPlan, Weights, expect_fit, plan_from_bytes
from he.model.blocks import Block
from he.model.graph import Graph, Node
from he.model.layers import Add, Concat, Conv, Dense, Reindex, Scale
from he.model.nonlinear import Activation, Polynomial, Square

LARGEST_MODEL_BYTES = 1 << 34
LARGEST_TEXT_BYTES = 1 << 24
DEEPEST = 16  # lists within lists
_LENGTH = struct.Struct("<I")

KINDS: dict[str, Callable[..., Any]] = {
    kind.__name__: kind
    for kind in (Activation, Add, Block, Concat, Conv, Dense, Graph, Node, Polynomial, Reindex, Scale, Square)
}
DTYPES = ("<f8", "<i8", "<i4", "|b1", "|u1")


def dump(plan: AnyPlan, weights: Weights, classes: NDArray[Any]) -> bytes:
    """A model's bytes; TypeError for labels that are neither numbers nor text."""
    arrays = _Arrays()
    tree = {"plan": plan.to_bytes().hex(), "weights": _tree(weights, arrays)}
    tree["classes"] = _labels(classes, arrays)
    text = json.dumps(tree).encode()
    body = b"".join([_LENGTH.pack(len(text)), text, *arrays.parts])
    return frame.seal(frame.Kind.MODEL, "", bytes(16), body)


def load(data: bytes | memoryview, *, insecure: bool = False) -> tuple[AnyPlan, Any, NDArray[Any]]:
    """(plan, weights, classes) from `dump`; ValueError if it is damaged, or its plan insecure unasked."""
    body = frame.unseal(data, frame.Kind.MODEL, "", bytes(16))
    if len(body) < _LENGTH.size:
        raise ValueError(f"the body has {len(body)} bytes, expected at least {_LENGTH.size}")
    (size,) = _LENGTH.unpack_from(body)
    if size > min(LARGEST_TEXT_BYTES, len(body) - _LENGTH.size):
        raise ValueError(
            f"the model's text has {size} bytes, expected at most {LARGEST_TEXT_BYTES}, {len(body)} are there"
        )
    tree = frame.from_json(body[_LENGTH.size : _LENGTH.size + size])
    if not isinstance(tree, dict) or sorted(tree) != ["classes", "plan", "weights"]:
        raise ValueError(f"the model is {tree!r:.200}, expected classes, plan and weights")
    arrays = _Source(body[_LENGTH.size + size :])
    try:
        plan = plan_from_bytes(bytes.fromhex(tree["plan"]), insecure=insecure)
        weights = _object(tree["weights"], arrays, DEEPEST)
        classes = _object(tree["classes"], arrays, DEEPEST)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"the model does not hold what its layers are made of: {error}") from None
    arrays.finish()
    expect_fit(plan, weights)
    return plan, weights, np.asarray(classes)


@dataclass(eq=False)
class _Arrays:
    """Arrays on their way out, in the order in which the text names them."""

    parts: list[bytes] = field(default_factory=list)

    def put(self, array: NDArray[Any]) -> dict[str, Any]:
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        if little.dtype.str not in DTYPES:
            raise TypeError(f"array of {array.dtype} given, expected one of {', '.join(DTYPES)}")
        self.parts.append(little.tobytes())
        return {"array": little.dtype.str, "shape": list(array.shape)}


@dataclass(eq=False)
class _Source:
    """Arrays on their way in: as many bytes as are there, none left over."""

    data: memoryview
    at: int = 0

    def take(self, dtype: object, shape: object) -> NDArray[Any]:
        if dtype not in DTYPES:
            raise ValueError(f"array of {dtype!r:.50}, expected one of {', '.join(DTYPES)}")
        if not isinstance(shape, list) or not all(type(d) is int and d >= 0 for d in shape) or len(shape) > 8:
            raise ValueError(f"shape is {shape!r:.100}, expected up to 8 numbers from 0 on")
        kind, count = np.dtype(str(dtype)), 1
        for d in shape:
            count *= d
        size = count * kind.itemsize
        if size > len(self.data) - self.at:
            raise ValueError(f"an array of {size} bytes is announced, {len(self.data) - self.at} are left")
        array = np.frombuffer(self.data, kind, count, self.at).reshape(shape)
        self.at += size
        return array.astype(kind.newbyteorder("="))

    def finish(self) -> None:
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes follow the last array, expected none")


def _tree(value: object, arrays: _Arrays) -> Any:
    """A value as JSON, its arrays put aside."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return arrays.put(value)
    if isinstance(value, tuple):
        return [_tree(item, arrays) for item in value]
    if type(value).__name__ == "csr_array":
        parts = (value.data, value.indices.astype(np.int64), value.indptr.astype(np.int64))  # type: ignore[attr-defined]
        return {"sparse": [arrays.put(part) for part in parts], "shape": list(value.shape)}  # type: ignore[attr-defined]
    name = type(value).__name__
    if KINDS.get(name) is not type(value):
        raise TypeError(f"{name} given, expected one of {', '.join(KINDS)}")
    return {"class": name} | {f.name: _tree(getattr(value, f.name), arrays) for f in fields(value)}


def _labels(classes: NDArray[Any], arrays: _Arrays) -> Any:
    """Text labels as a list, numbers as an array."""
    if classes.dtype.kind in "UO":
        labels = classes.tolist()
        if not all(isinstance(label, str) for label in labels):
            raise TypeError("the classes hold objects that are no text, expected numbers or text")
        return labels
    return arrays.put(classes)


def _object(tree: Any, arrays: _Source, depth: int) -> Any:
    """The value that JSON stands for; ValueError from whatever does not fit."""
    if depth == 0:
        raise ValueError(f"the model is nested deeper than {DEEPEST}, expected less")
    if isinstance(tree, list):
        return tuple(_object(item, arrays, depth - 1) for item in tree)
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays.take(tree["array"], tree["shape"])
    if "sparse" in tree:
        return _sparse([_object(part, arrays, depth - 1) for part in tree["sparse"]], tree["shape"])
    if tree.get("class") not in KINDS:
        raise ValueError(f"class is {tree.get('class')!r:.50}, expected one of {', '.join(KINDS)}")
    given = {name: _object(item, arrays, depth - 1) for name, item in tree.items() if name != "class"}
    return KINDS[tree["class"]](**given)


def _sparse(parts: Sequence[NDArray[Any]], shape: Any) -> Any:
    from scipy import sparse

    data, indices, pointers = parts
    if not np.isfinite(data).all():
        raise ValueError("weights hold NaN or infinity, expected finite numbers")
    matrix = sparse.csr_array((data, indices, pointers), shape=tuple(shape))
    matrix.check_format(full_check=True)
    return matrix
