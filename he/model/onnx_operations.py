"""What single operators of ONNX become: a table from their names.

Each takes where it stands, its node, and its inputs: a Value, an array, or None where one is left out.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from he.model.builder import Builder
from he.model.convolution import Floats, Padding, Pair
from he.model.layers import Conv, Scale
from he.model.nonlinear import Activation, ActivationKind
from he.model.onnx_nodes import Step
from he.model.operation import Context, Value


def _constant(c: Context, given: Any) -> Floats:
    if isinstance(given, Value):
        raise c.refuse("constant weights: they depend on the input")
    return np.asarray(given, dtype=np.float64)


def _value(c: Context, given: Any) -> int:
    if not isinstance(given, Value):
        raise c.refuse("the input's values on the left and constant weights on the right")
    return given.place


def _gemm(c: Context, step: Step, x: Any, weight: Any, bias: Any = None) -> int:
    a = step.attributes
    if a.get("transA", 0):
        raise c.refuse("transA=0: the batch comes first")
    w = a.get("alpha", 1.0) * _constant(c, weight)
    product = c.builder.dense(c.name, _value(c, x), w if a.get("transB", 0) else w.T)
    if bias is None:
        return product
    return c.builder.scale(c.name, product, 1.0, a.get("beta", 1.0) * _constant(c, bias))


def _matmul(c: Context, step: Step, x: Any, weight: Any) -> int:
    w = _constant(c, weight)
    if w.ndim != 2:
        raise c.refuse(f"a matrix on the right, not an array of shape {w.shape}")
    return c.builder.dense(c.name, _value(c, x), w.T)


def _conv(c: Context, step: Step, x: Any, weight: Any, bias: Any = None) -> int:
    w = _constant(c, weight)
    if w.ndim not in (3, 4):
        raise c.refuse(f"a convolution of one or two axes, not of {w.ndim - 2}")
    w = w[:, :, None, :] if w.ndim == 3 else w
    kernel = (w.shape[2], w.shape[3])
    stride, dilation = _pair(step, "strides", 1), _pair(step, "dilations", 1)
    pads = _pads(c, step, _value(c, x), kernel, stride, dilation)
    b = 0.0 if bias is None else _constant(c, bias)
    return c.builder.conv(
        c.name, _value(c, x), w, b, stride, pads, dilation, int(step.attributes.get("group", 1))
    )


def _pair(step: Step, name: str, idle: int) -> Pair:
    """(height, width) of an attribute; `idle` for one that is left out, and for the height of a signal."""
    given = [idle, idle, *(int(v) for v in step.attributes.get(name, ()))]
    return (given[-2], given[-1]) if len(given) == 4 else (idle, given[-1])


def _spatial(c: Context, x: int) -> Pair:
    shape = c.builder.shape(x)
    return (1, shape[1]) if len(shape) == 2 else (shape[1], shape[2])


def _pads(c: Context, step: Step, x: int, kernel: Pair, stride: Pair, dilation: Pair) -> Padding:
    """((top, bottom), (left, right))."""
    automatic = step.attributes.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        both = []
        for size, k, s, d in zip(_spatial(c, x), kernel, stride, dilation, strict=True):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            small, large = total // 2, total - total // 2
            both.append((small, large) if automatic == "SAME_UPPER" else (large, small))
        return both[0], both[1]
    given = [int(v) for v in step.attributes.get("pads", ())]
    if automatic == "VALID" or not given:
        return (0, 0), (0, 0)
    if len(given) == 2:
        return (0, 0), (given[0], given[1])
    return (given[0], given[2]), (given[1], given[3])


def _average_pool(c: Context, step: Step, x: Any) -> int:
    """As torch: with ceil_mode a window may overhang behind, but not start there."""
    place, stride = _value(c, x), _pair(step, "strides", 1)
    kernel = _pair(step, "kernel_shape", 1)
    shape = c.builder.shape(place)
    if any(d != 1 for d in step.attributes.get("dilations", ())) or len(shape) not in (2, 3):
        raise c.refuse("pooling of one or two axes without dilation")
    pads, overhung = _pads(c, step, place, kernel, stride, (1, 1)), list[Pair]()
    for (before, after), k, s, size in zip(pads, kernel, stride, _spatial(c, place), strict=True):
        count = (size + before + after - k) // s + 1
        if step.attributes.get("ceil_mode", 0):
            count = -(-(size + before + after - k) // s) + 1
            count -= (count - 1) * s >= size + before
        overhung.append((before, max(after, (count - 1) * s + k - size - before)))
    around = (overhung[0], overhung[1])
    inside = Conv(np.ones((1, 1, *kernel)), 0.0, stride, around)
    ones = np.ones((1, 1, *_spatial(c, place)))
    entries = inside(ones)[0]
    counted = entries
    if step.attributes.get("count_include_pad", 0):
        padded = np.pad(ones, [(0, 0), (0, 0), *pads], constant_values=1.0)
        beyond = [(0, o - p) for (_, o), (_, p) in zip(around, pads, strict=True)]
        counted = Conv(np.ones((1, 1, *kernel)), 0.0, stride, (beyond[0], beyond[1]))(padded)[0]
    if not counted.all():
        raise c.refuse("windows that meet the input: one lies in the padding alone")
    ratio = entries / counted
    return c.builder.averages(
        c.name, place, kernel, stride, around, ratio if len(shape) == 3 else ratio[:, 0]
    )


def _global_average(c: Context, step: Step, x: Any) -> int:
    return c.builder.reduce(c.name, _value(c, x), range(1, c.result.ndim - 1), True, True)


def _batch_norm(c: Context, step: Step, x: Any, scale: Any, bias: Any, mean: Any, variance: Any) -> int:
    if step.attributes.get("training_mode", 0):
        raise c.refuse("training_mode=0: with it, it depends on the batch")
    factor = _constant(c, scale) / np.sqrt(_constant(c, variance) + step.attributes.get("epsilon", 1e-5))
    offset = _constant(c, bias) - _constant(c, mean) * factor
    ones = (1,) * (c.result.ndim - 2)
    return c.builder.scale(c.name, _value(c, x), factor.reshape(-1, *ones), offset.reshape(-1, *ones))


def _add(c: Context, step: Step, *terms: Any) -> int:
    first, *others = sorted(terms, key=lambda term: not isinstance(term, Value))
    place = _value(c, first)
    for term in others:
        if isinstance(term, Value):
            place = c.builder.sum(c.name, place, term.place)
        else:
            place = c.builder.scale(c.name, place, 1.0, term)
    return place


def _subtract(c: Context, step: Step, x: Any, y: Any) -> int:
    minus = Value(c.builder.scale(c.name, y.place, -1.0)) if isinstance(y, Value) else -y
    return _add(c, step, x, minus)


def _multiply(c: Context, step: Step, x: Any, y: Any) -> int:
    if isinstance(x, Value) and isinstance(y, Value):
        gelu = _gelu_of(c, x.place, y.place)
        if gelu is None:
            gelu = _gelu_of(c, y.place, x.place)
        return c.builder.product(c.name, x.place, y.place) if gelu is None else gelu
    value, constant = (x, y) if isinstance(x, Value) else (y, x)
    return c.builder.scale(c.name, value.place, constant)


def _gelu_of(c: Context, left: int, right: int) -> int | None:
    """g x times f (1 + erf(s x / 2^(1/2))) is 2 f g / s gelu(s x), as exporters before opset 20 write it."""
    b = c.builder
    f, offset, inner = _scaled(b, right)
    if b.layer_of(inner) != Activation("erf") or f != offset:
        return None
    s, shift, x = _scaled(b, b.inputs_of(inner)[0])
    g, other, origin = _scaled(b, left) if left != x else (1.0, 0.0, x)
    if origin != x or shift != 0 or other != 0 or s == 0:
        return None
    s *= np.sqrt(2.0)
    return b.scale(c.name, b.activation(c.name, b.scale(c.name, x, s), "gelu"), 2 * f * g / s)


def _scaled(b: Builder, x: int) -> tuple[float, float, int]:
    """(f, o, y) with x = f y + o for numbers f and o."""
    layer = b.layer_of(x)
    if isinstance(layer, Scale) and layer.factor.ndim == 0 and layer.offset.ndim == 0:
        f, o, y = _scaled(b, b.inputs_of(x)[0])
        return float(layer.factor) * f, float(layer.factor) * o + float(layer.offset), y
    return 1.0, 0.0, x


def _divide(c: Context, step: Step, x: Any, y: Any) -> int:
    if isinstance(y, Value):
        raise c.refuse("a constant divisor: a quotient of values has no exact form on ciphertexts")
    return c.builder.scale(c.name, _value(c, x), 1.0 / _constant(c, y))


def _power(c: Context, step: Step, x: Any, exponent: Any) -> int:
    if isinstance(exponent, Value) or np.size(exponent) != 1:
        raise c.refuse("a value to a constant power")
    return c.builder.power(c.name, _value(c, x), float(np.reshape(exponent, ())))


def _concat(c: Context, step: Step, *values: Any) -> int:
    axis = int(step.attributes["axis"]) % c.result.ndim
    if axis == 0 or not all(isinstance(v, Value) for v in values):
        raise c.refuse("values that depend on the input, along another axis than the batch's")
    return c.builder.concat(c.name, [v.place for v in values], axis - 1)


def _reduce(mean: bool) -> Callable[..., int]:
    def reduce(c: Context, step: Step, x: Any, axes: Any = None) -> int:
        given: Sequence[int] = step.attributes.get("axes", () if axes is None else np.ravel(axes).tolist())
        rank = len(c.builder.shape(_value(c, x))) + 1
        kept = sorted({int(axis) % rank for axis in given})
        if not kept and step.attributes.get("noop_with_empty_axes", 0):
            return _value(c, x)
        if not kept or kept[0] == 0:
            raise c.refuse("axes of one sample: without them it mixes the samples of a batch")
        keep = bool(step.attributes.get("keepdims", 1))
        return c.builder.reduce(c.name, _value(c, x), [axis - 1 for axis in kept], keep, mean)

    return reduce


def _pad(c: Context, step: Step, x: Any, pads: Any = None, value: Any = None, axes: Any = None) -> int:
    """Zeros around the last one or two axes of (channels, length) or (channels, height, width)."""
    rank = c.result.ndim
    amounts = [int(p) for p in (step.attributes.get("pads", ()) if pads is None else np.ravel(pads))]
    on = list(range(rank)) if axes is None else [int(a) % rank for a in np.ravel(axes)]
    fill = step.attributes.get("value", 0.0) if value is None else float(np.reshape(value, ()))
    around = {axis: (amounts[i], amounts[i + len(on)]) for i, axis in enumerate(on)}
    inner = [around.pop(axis, (0, 0)) for axis in range(2, rank)]
    zeros = step.attributes.get("mode", "constant") == "constant" and not fill
    if not zeros or any(p != (0, 0) for p in around.values()) or rank not in (3, 4) or min(amounts) < 0:
        raise c.refuse("zeros behind and before the last one or two axes")
    vertical, horizontal = ((0, 0), *inner)[-2:]
    return c.builder.pad(c.name, _value(c, x), (vertical, horizontal))


def _activation(kind: ActivationKind) -> Callable[..., int]:
    def activation(c: Context, step: Step, x: Any) -> int:
        return c.builder.activation(c.name, _value(c, x), kind)

    return activation


def _gelu(c: Context, step: Step, x: Any) -> int:
    approximate = step.attributes.get("approximate", "none")
    if approximate != "none":
        raise c.refuse(f"approximate='none', not {approximate!r}: the polynomial stands for the exact one")
    return c.builder.activation(c.name, _value(c, x), "gelu")


OPERATIONS: dict[str, Callable[..., int]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "ReduceMean": _reduce(True),
    "ReduceSum": _reduce(False),
    "Add": _add,
    "Sum": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Neg": lambda c, step, x: c.builder.scale(c.name, _value(c, x), -1.0),
    "Pow": _power,
    "Concat": _concat,
    "Pad": _pad,
    "Relu": _activation("relu"),
    "Sigmoid": _activation("sigmoid"),
    "Tanh": _activation("tanh"),
    "Softplus": _activation("softplus"),
    "Erf": _activation("erf"),
    "Gelu": _gelu,
}
