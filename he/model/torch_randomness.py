"""Refuses random numbers in forward(): what is drawn while a network is traced would be a constant."""

import copy
import random
from typing import Any

import numpy as np

from he.model import torch_steps
from he.model.refusals import Refused
from he.model.torch_trace import label, trace

EXPECTED = (
    "expected a forward() that gives the same scores each time: take out what is random, or make it depend "
    "on self.training"
)


def traced_twice(module: Any, x: Any) -> tuple[Any, torch_steps.Values]:
    """(trace of a module in evaluation mode, what each step gives on samples x); TypeError names a step that
    another trace gives other values for, or says that numbers were drawn from a generator of the process.
    """
    import torch

    before, twin_module = _generators(), copy.deepcopy(module)
    with torch.no_grad():
        first, second = trace(module), trace(twin_module)
        values, others = torch_steps.run(first, x.clone()), torch_steps.run(second, x.clone())
    nodes, twins = list(first.graph.nodes), list(second.graph.nodes)
    for node, twin in zip(nodes, twins, strict=False):
        if node.name != twin.name or not _same(values.get(node), others.get(twin)):
            raise Refused(f"{label(first, node)} is random, {EXPECTED}")
    if len(nodes) != len(twins) or _generators() != before:
        raise Refused(f"{type(module).__name__} draws random numbers, {EXPECTED}")
    return first, values


def _generators() -> tuple[bytes, object, bytes, int]:
    """The states of the generators that torch, Python and NumPy share over the whole process."""
    import torch

    _, numbers, place, *_ = np.random.get_state(legacy=True)
    return (
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        np.asarray(numbers).tobytes(),
        int(place),
    )


def _same(value: Any, other: Any) -> bool:
    import torch

    if isinstance(value, torch.Tensor) and isinstance(other, torch.Tensor):
        return value.shape == other.shape and torch.equal(torch.nan_to_num(value), torch.nan_to_num(other))
    return True
