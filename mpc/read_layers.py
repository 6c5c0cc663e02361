"""Layers of models read from torch that CrypTen has incomplete: slices, padding, batch normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

# CrypTen keeps constants as float32, where the largest integer, ONNX's "to the end", is no integer any more.
_FAR = 2.0**31


def replace_layers(crypten: Any) -> None:
    """Put complete ones in the place of CrypTen's."""
    module = crypten.nn.module
    module.Slice.forward = _slice
    module._ConstantPad.forward = _pad(module._ConstantPad.forward)
    module.BatchNormalization.forward = _batch_norm(module.BatchNormalization.forward)


def _slice(self: Any, x: Any) -> Any:
    """Cut along `axes` from `starts` to `ends` by `steps`, which may be negative (ONNX Slice, version 13)."""
    if not isinstance(x, list):
        x = [x, self.starts, self.ends]
    if not 3 <= len(x) <= 5:
        raise ValueError(f"a slice takes a tensor and two to four lists, got {len(x) - 1} lists")
    output, starts, ends = x[0], _integers(x[1]), _integers(x[2])
    axes = _integers(x[3]) if len(x) > 3 else self.axes or list(range(len(starts)))
    steps = _integers(x[4]) if len(x) > 4 else [1] * len(axes)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        places = range(*slice(start, end, step).indices(output.size(axis)))
        output = output.index_select(axis, torch.tensor(list(places), dtype=torch.long))
    return output


def _integers(numbers: Any) -> list[int]:
    values = torch.as_tensor(numbers, dtype=torch.double).reshape(-1).clamp(-_FAR, _FAR)
    return [int(value) for value in values.tolist()]


def _pad(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def forward(self: Any, x: Any) -> Any:
        """Pad by a layer's own sizes, or by [x, pads] or [x, pads, value] as a graph gives them.

        ONNX lists what goes before each dimension, then what goes after; torch lists pairs, last one first.
        """
        if not isinstance(x, list):
            return original(self, x)
        pads = _integers(x[1])
        before, after = pads[: len(pads) // 2], pads[len(pads) // 2 :]
        pairs = [size for both in zip(reversed(before), reversed(after), strict=True) for size in both]
        value = float(x[2]) if len(x) > 2 else self.value
        return x[0].pad(tuple(pairs), value=value, mode=self.mode)

    return forward


def _batch_norm(original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def forward(self: Any, x: Any) -> Any:
        """As many results as the graph names: the training graph has more than the one for evaluation."""
        result = original(self, x)
        outputs = len(getattr(self, "_output_names", None) or [""])
        if not isinstance(result, tuple):
            result = (result, *x[3:])
        return result[0] if outputs == 1 else result[:outputs]

    return forward
