"""What single operations of torch become: tables from the names of modules and functions."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from he.model.convolution import Floats, Pair
from he.model.nonlinear import ActivationKind, Polynomial
from he.model.operation import Context, Value


def _array(tensor: Any) -> Floats:
    return np.asarray(tensor.detach().cpu().double().numpy() if hasattr(tensor, "detach") else tensor, float)


def _or_zero(bias: Any) -> Floats:
    return np.zeros(()) if bias is None else _array(bias)


def _pair(given: int | Sequence[int], axes: int) -> Pair:
    """Height first; 1 or 0 (`given` of one axis) for signals."""
    values = [given] * axes if isinstance(given, int) else list(given) * (axes if len(given) == 1 else 1)
    return values[0], values[-1]


def _linear(c: Context, x: Value, weight: Any, bias: Any = None) -> int:
    return c.builder.dense(c.name, x.place, _array(weight), _or_zero(bias))


def _conv(axes: int) -> Callable[..., int]:
    def conv(
        c: Context,
        x: Value,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> int:
        w = _array(weight)
        w = w[:, :, None, :] if axes == 1 else w
        spread, kernel = _spatial(dilation, axes, 1), (w.shape[2], w.shape[3])
        if padding == "same":
            pads = tuple(_halves(d * (k - 1)) for d, k in zip(spread, kernel, strict=True))
        else:
            vertical, horizontal = _spatial(0 if padding == "valid" else padding, axes, 0)
            pads = ((vertical, vertical), (horizontal, horizontal))
        step = _spatial(stride, axes, 1)
        return c.builder.conv(c.name, x.place, w, _or_zero(bias), step, (pads[0], pads[1]), spread, groups)

    return conv


def _halves(total: int) -> Pair:
    """As torch: the odd one goes behind."""
    return total // 2, total - total // 2


def _spatial(given: Any, axes: int, idle: int) -> Pair:
    """(height, width); `idle` is the height's of a signal."""
    pair = _pair(given, axes)
    return pair if axes == 2 else (idle, pair[1])


def _conv_module(axes: int) -> Callable[..., int]:
    def module(c: Context, m: Any, x: Value) -> int:
        if m.padding_mode != "zeros":
            raise c.refuse(f"padding_mode='zeros', not {m.padding_mode!r}")
        return _conv(axes)(c, x, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups)

    return module


def _batch_norm(
    c: Context,
    x: Value,
    mean: Any,
    variance: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> int:
    if training or mean is None:
        raise c.refuse("running statistics: without them it depends on the batch")
    factor = (1.0 if weight is None else _array(weight)) / np.sqrt(_array(variance) + eps)
    offset = _or_zero(bias) - _array(mean) * factor
    ones = (1,) * (len(c.builder.shape(x.place)) - 1)
    return c.builder.scale(c.name, x.place, factor.reshape(-1, *ones), np.reshape(offset, (-1, *ones)))


def _batch_norm_module(c: Context, m: Any, x: Value) -> int:
    return _batch_norm(c, x, m.running_mean, m.running_var, m.weight, m.bias, m.training, 0.1, m.eps)


def _avg_pool(axes: int) -> Callable[..., int]:
    def pool(
        c: Context,
        x: Value,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> int:
        import torch

        operation = getattr(torch.nn.functional, f"avg_pool{axes}d")
        extra = (divisor_override,) if axes == 2 else ()
        kernel = _spatial(kernel_size, axes, 1)
        step = _spatial(stride if stride not in (None, ()) else kernel_size, axes, 1)
        pads = _spatial(padding, axes, 0)
        shape = c.builder.shape(x.place)
        counts = c.result.shape[-2:] if axes == 2 else (1, c.result.shape[-1])
        sizes = shape[1:] if axes == 2 else (1, shape[1])
        around = tuple(
            (p, max(0, (n - 1) * s + k - size - p))
            for p, n, s, k, size in zip(pads, counts, step, kernel, sizes, strict=True)
        )
        ones = torch.ones((1, 1, *shape[1:]), dtype=torch.float64)
        factor = operation(ones, kernel_size, stride, padding, ceil_mode, count_include_pad, *extra)
        both = (around[0], around[1])
        return c.builder.averages(c.name, x.place, kernel, step, both, _array(factor)[0])

    return pool


def _adaptive(axes: int) -> Callable[..., int]:
    def pool(c: Context, x: Value, output_size: Any) -> int:
        shape = c.builder.shape(x.place)
        sizes = shape[1:] if axes == 2 else (1, shape[1])
        wanted = [output_size] * axes if isinstance(output_size, int) else list(output_size)
        counts = [1] * (2 - axes) + [n or size for n, size in zip(wanted, sizes[2 - axes :], strict=True)]
        if any(size % n for size, n in zip(sizes, counts, strict=True)):
            raise c.refuse(f"output sizes that divide {tuple(sizes)}, not {tuple(counts)}")
        kernel = sizes[0] // counts[0], sizes[1] // counts[1]
        return c.builder.pool(c.name, x.place, kernel, kernel, ((0, 0), (0, 0)), kernel[0] * kernel[1])

    return pool


def _pad(c: Context, x: Value, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> int:
    if mode != "constant" or value or len(pad) > 4:
        raise c.refuse("zeros on the last two axes")
    left, right, top, bottom = [*pad, 0, 0][:4]
    return c.builder.pad(c.name, x.place, ((top, bottom), (left, right)))


def _add(c: Context, x: Any, y: Any, alpha: float = 1.0, sign: float = 1.0) -> int:
    if isinstance(x, Value) and isinstance(y, Value):
        times = sign * alpha
        return c.builder.sum(
            c.name, x.place, y.place if times == 1 else c.builder.scale(c.name, y.place, times)
        )
    if isinstance(x, Value):
        return c.builder.scale(c.name, x.place, 1.0, sign * alpha * _array(y))
    return c.builder.scale(c.name, y.place, sign * alpha, _array(x))


def _subtract(c: Context, x: Any, y: Any, alpha: float = 1.0) -> int:
    return _add(c, x, y, alpha, -1.0)


def _multiply(c: Context, x: Any, y: Any) -> int:
    if isinstance(x, Value) and isinstance(y, Value):
        return c.builder.product(c.name, x.place, y.place)
    value, constant = (x, y) if isinstance(x, Value) else (y, x)
    return c.builder.scale(c.name, value.place, _array(constant))


def _divide(c: Context, x: Any, y: Any) -> int:
    if isinstance(y, Value):
        raise c.refuse("a constant divisor: a quotient of values has no exact form on ciphertexts")
    return c.builder.scale(c.name, x.place, 1.0 / _array(y))


def _power(c: Context, x: Any, exponent: Any) -> int:
    if not isinstance(x, Value) or isinstance(exponent, Value):
        raise c.refuse("a value to a constant power")
    return c.builder.power(c.name, x.place, float(exponent))


def _matmul(c: Context, x: Any, y: Any) -> int:
    if isinstance(y, Value) or not isinstance(x, Value) or y.ndim != 2:
        raise c.refuse("a product with a constant matrix on the right")
    return c.builder.dense(c.name, x.place, _array(y).T)


def _cat(c: Context, tensors: Sequence[Any] | None = None, dim: int = 0, **more: Any) -> int:
    values = list(more.get("tensors", tensors) or ())
    axis = dim - 1 if dim > 0 else dim + c.result.ndim - 1
    if dim == 0 or axis < 0 or not all(isinstance(v, Value) for v in values):
        raise c.refuse("values that depend on the input, along another axis than the batch's")
    return c.builder.concat(c.name, [v.place for v in values], axis)


def _reduce(mean: bool) -> Callable[..., int]:
    def reduce(c: Context, x: Value, dim: Any = None, keepdim: bool = False) -> int:
        rank = len(c.builder.shape(x.place)) + 1
        axes = [] if dim is None else [d % rank for d in ([dim] if isinstance(dim, int) else dim)]
        if not axes or 0 in axes:
            raise c.refuse("axes of one sample: without them it mixes the samples of a batch")
        return c.builder.reduce(c.name, x.place, [d - 1 for d in axes], keepdim, mean)

    return reduce


def _activation(kind: ActivationKind) -> Callable[..., int]:
    def activation(c: Context, x: Value, inplace: bool = False) -> int:
        return c.builder.activation(c.name, x.place, kind)

    return activation


def _gelu(c: Context, x: Value, approximate: str = "none") -> int:
    if approximate != "none":
        raise c.refuse(f"approximate='none', not {approximate!r}: the polynomial stands for the exact one")
    return c.builder.activation(c.name, x.place, "gelu")


def _softplus(c: Context, x: Value, beta: float = 1.0, threshold: float = 20.0) -> int:
    if threshold < 20:
        raise c.refuse(f"a threshold of 20 or more, not {threshold}: below it differs from the function")
    return c.builder.softplus(c.name, x.place, beta)


def _dropout(c: Context, x: Value, p: float = 0.5, training: bool = True, inplace: bool = False) -> int:
    if training:
        raise c.refuse("training=self.training: it is random as it stands")
    return x.place


def _of_module(operation: Callable[..., int], *attributes: str) -> Callable[..., int]:
    """The operation of a module with attributes of these names."""

    def module(c: Context, m: Any, x: Value) -> int:
        return operation(c, x, *(getattr(m, name) for name in attributes))

    return module


def _polynomial(c: Context, m: Any, x: Value) -> int:
    interval = (float(m.interval[0]), float(m.interval[1]))
    return c.builder.add(c.name, Polynomial(_array(m.coefficients), interval, m.approximates), x.place)


FUNCTIONS: dict[str, Callable[..., int]] = {
    "linear": _linear,
    "conv1d": _conv(1),
    "conv2d": _conv(2),
    "batch_norm": _batch_norm,
    "avg_pool1d": _avg_pool(1),
    "avg_pool2d": _avg_pool(2),
    "adaptive_avg_pool1d": _adaptive(1),
    "adaptive_avg_pool2d": _adaptive(2),
    "pad": _pad,
    "add": _add,
    "sub": _subtract,
    "subtract": _subtract,
    "mul": _multiply,
    "multiply": _multiply,
    "truediv": _divide,
    "div": _divide,
    "neg": lambda c, x: c.builder.scale(c.name, x.place, -1.0),
    "pow": _power,
    "square": lambda c, x: c.builder.power(c.name, x.place, 2.0),
    "matmul": _matmul,
    "cat": _cat,
    "concat": _cat,
    "mean": _reduce(True),
    "sum": _reduce(False),
    "relu": _activation("relu"),
    "silu": _activation("silu"),
    "sigmoid": _activation("sigmoid"),
    "tanh": _activation("tanh"),
    "gelu": _gelu,
    "softplus": _softplus,
    "dropout": _dropout,
}

_POOLING = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
MODULES: dict[str, Callable[..., int]] = {
    "Linear": _of_module(_linear, "weight", "bias"),
    "Conv1d": _conv_module(1),
    "Conv2d": _conv_module(2),
    "BatchNorm1d": _batch_norm_module,
    "BatchNorm2d": _batch_norm_module,
    "AvgPool1d": _of_module(_avg_pool(1), *_POOLING),
    "AvgPool2d": _of_module(_avg_pool(2), *_POOLING, "divisor_override"),
    "AdaptiveAvgPool1d": _of_module(_adaptive(1), "output_size"),
    "AdaptiveAvgPool2d": _of_module(_adaptive(2), "output_size"),
    "ZeroPad1d": _of_module(_pad, "padding"),
    "ZeroPad2d": _of_module(_pad, "padding"),
    "ReLU": _of_module(_activation("relu")),
    "SiLU": _of_module(_activation("silu")),
    "Sigmoid": _of_module(_activation("sigmoid")),
    "Tanh": _of_module(_activation("tanh")),
    "GELU": _of_module(_gelu, "approximate"),
    "Softplus": _of_module(_softplus, "beta", "threshold"),
    "Trainable": _polynomial,
}
