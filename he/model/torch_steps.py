"""Steps of a traced torch module, one after the other, into nodes of a Graph."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from he.model import torch_operations
from he.model.builder import Builder
from he.model.graph import INPUT
from he.model.operation import Context, Value
from he.model.refusals import INSTEAD, Refused, alternative
from he.model.torch_trace import label

Values: TypeAlias = dict[Any, Any]  # from steps of torch.fx to what they give on a few samples

# Entries in another order or shape: read off what the step does with numbered entries.
MOVES = (
    *("flatten", "reshape", "view", "permute", "transpose", "squeeze", "unsqueeze", "getitem", "movedim"),
    *("contiguous", "clone", "detach", "flip", "select", "narrow", "expand", "unflatten", "swapaxes"),
    *("Flatten", "Unflatten", "PixelShuffle", "ChannelShuffle"),
)
NOTHING = (
    "Identity",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "AlphaDropout",
    "FeatureAlphaDropout",
)
LAST_ONLY = ("softmax", "log_softmax", "argmax", "Softmax", "LogSoftmax")


def run(traced: Any, x: Any) -> Values:
    """What each step gives on samples x; ValueError names the step that they do not fit."""
    from torch import fx

    interpreter = fx.Interpreter(traced)
    inputs = [node for node in traced.graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        raise Refused(f"forward() takes {len(inputs)} inputs, expected one")
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            interpreter.env[node] = x
            continue
        try:
            interpreter.env[node] = interpreter.run_node(node)
        except (RuntimeError, TypeError, ValueError, IndexError) as problem:
            raise ValueError(f"{label(traced, node)}: samples {tuple(x.shape)}: {problem}") from None
    return interpreter.env


class Translated(NamedTuple):
    """builder: of all values. places: of the steps in it. output: place of the scores. step: gives them."""

    builder: Builder
    places: dict[Any, int]
    output: int
    step: Any


def translate(traced: Any, values: Values, builder: Builder) -> Translated:
    """All steps of a trace; TypeError names one that cannot be read."""
    from torch import Tensor

    places: dict[Any, int] = {}
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            places[node] = INPUT
        elif node.op == "output":
            return Translated(builder, places, *_output(node, places))
        elif isinstance(values[node], Tensor) and any(n in places for n in node.all_input_nodes):
            places[node] = _step(traced, node, places, values, builder)
    raise Refused("forward() gives nothing back, expected the scores")


def _output(node: Any, places: dict[Any, int]) -> tuple[int, Any]:
    """(place of the scores, the step that gives them)."""
    source = node.args[0]
    if source not in places:
        raise Refused("forward() gives back other things than one tensor of scores, expected that alone")
    result = places[source]
    while _operation(source) in LAST_ONLY:
        source = source.all_input_nodes[0]
    return result, source


def _step(traced: Any, node: Any, places: dict[Any, int], values: Values, builder: Builder) -> int:
    """The value that one step gives."""
    from torch import fx

    name, operation = label(traced, node), _operation(node, traced)

    def value(n: Any) -> Any:
        return Value(places[n]) if n in places else values[n]

    args, kwargs = cast(Any, fx.node.map_arg((node.args, node.kwargs), value))
    context = Context(builder, name, values[node])
    if operation in NOTHING:
        return places[node.args[0]]
    if operation in LAST_ONLY:
        return _last(traced, node, places, values)
    if operation in MOVES:
        return _move(traced, node, places, values, context)
    handler = _handler(node, operation)
    if handler is None:
        raise Refused(f"{name} cannot be read, expected {alternative(operation)}")
    if node.op == "call_module":
        result = handler(context, traced.get_submodule(node.target), *args, **kwargs)
    else:
        result = handler(context, *args, **kwargs)
    source = next(n for n in node.all_input_nodes if n in places)
    shape = tuple(values[node].shape[1:]) or (1,)
    if builder.shape(result) != shape or len(values[node]) != len(values[source]):
        raise Refused(f"{name} mixes samples or gives {tuple(values[node].shape)}, expected the batch first")
    return result


def _operation(node: Any, traced: Any = None) -> str:
    """The name of what a step does: a module's class, or a function's name without marks of in-place work."""
    if node.op == "call_module":
        owner = node.graph.owning_module if traced is None else traced
        return type(owner.get_submodule(node.target)).__name__
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    name = name.strip("_")
    return name[1:] if name in ("iadd", "isub", "imul", "itruediv") else name


def _handler(node: Any, operation: str) -> Callable[..., int] | None:
    table = torch_operations.MODULES if node.op == "call_module" else torch_operations.FUNCTIONS
    return table.get(operation)


def _last(traced: Any, node: Any, places: dict[Any, int], values: Values) -> int:
    """A softmax or argmax over the scores with nothing behind it: the scores stand for it."""
    source = node.all_input_nodes[0]
    axis = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    if node.op == "call_module":
        axis = traced.get_submodule(node.target).dim
    scores = values[source].ndim == 2 and axis in (1, -1, None)
    last = all(user.op == "output" or _operation(user) in LAST_ONLY for user in node.users)
    if not (scores and last):
        raise Refused(f"{label(traced, node)} cannot be read, expected {INSTEAD['softmax']}")
    return places[source]


def _move(traced: Any, node: Any, places: dict[Any, int], values: Values, context: Context) -> int:
    """The step on numbered entries says where each entry comes from."""
    import torch
    from torch import fx

    (source,) = [n for n in node.all_input_nodes if n in places] or [None]
    x = values[source]
    size = x[0].numel()
    numbered = torch.arange(x.numel(), dtype=torch.float64).reshape(x.shape)
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: numbered if n is source else values[n])
    if node.op == "call_module":
        moved = traced.get_submodule(node.target)(*args, **kwargs)
    elif node.op == "call_method":
        moved = getattr(args[0], node.target)(*args[1:], **kwargs)
    else:
        moved = node.target(*args, **kwargs)
    places_of = moved.reshape(len(moved), -1) - size * torch.arange(len(moved), dtype=torch.float64)[:, None]
    if len(moved) != len(x) or not (places_of == places_of[0]).all() or not 0 <= places_of.min() < size:
        raise Refused(
            f"{context.name} gives {tuple(moved.shape)} for {tuple(x.shape)}, expected the batch first"
        )
    source_of = (moved[0] - 0.0).numpy().astype(np.intp)
    return context.builder.reindex(context.name, places[source], np.atleast_1d(source_of))
