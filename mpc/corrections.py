"""Operations that CrypTen documents and computes wrongly or not at all: x^5, 1 / x, some gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def replace_operations(crypten: Any) -> None:
    """Put correct ones in the place of CrypTen's."""
    tensor = crypten.CrypTensor
    tensor.pow = _pow(tensor.pow)
    # Python looks operators up in the class, where CrypTen has none of these, or one without gradient.
    tensor.__pow__ = lambda self, power: self.pow(power)
    tensor.__rtruediv__ = lambda self, other: self.reciprocal().mul(other)
    tensor.__getitem__ = _getitem(tensor)
    shared = crypten.mpc.primitives.ArithmeticSharedTensor
    shared.pad = _pad(shared.pad, shared)
    gradients = crypten.gradients
    gradients.AutogradGetItem.backward = staticmethod(_getitem_backward)
    gradients.AutogradTake.backward = staticmethod(_take_backward(gradients.AutogradTake.backward))
    gradients.AutogradPermute.forward = staticmethod(_permute_forward)
    gradients.AutogradPosPow.backward = staticmethod(_pos_pow_backward)


def _pow(original: Callable[..., Any]) -> Callable[..., Any]:
    def pow_(self: Any, p: float, **options: Any) -> Any:
        """The p-th power of each entry for a whole p; CrypTen gives x^6 for x^5 and x^9 for x^7."""
        if isinstance(p, int | float) and int(p) == p and p > 3 and p % 2:
            return self.mul(self.square().pow(int(p) // 2))
        return original(self, p, **options)

    return pow_


def _pad(original: Callable[..., Any], shared: Any) -> Callable[..., Any]:
    def pad(self: Any, pad: Any, mode: str = "constant", value: Any = 0) -> Any:
        """Padding with a public number or a secret one, whose share must not pass through a float."""
        if not isinstance(value, shared):
            return original(self, pad, mode=mode, value=value)
        if value.dim() != 0:
            raise ValueError(f"a secret number to pad with has no dimensions, got {value.dim()}")
        result = original(self, pad, mode=mode, value=0)
        border = torch.nn.functional.pad(torch.zeros_like(self.share), pad, value=1)
        result.share = result.share + border * value.encode_as(self).share
        return result

    return pad


def _getitem(tensor: Any) -> Callable[[Any, Any], Any]:
    original = tensor.__getitem__

    def getitem(self: Any, index: Any) -> Any:
        """Entries by index, with gradient."""
        if tensor.AUTOGRAD_ENABLED and self.requires_grad:
            return self.__getattribute__("__getitem__")(index)
        return original(self, index)

    return getitem


def _getitem_backward(ctx: Any, grad_output: Any) -> Any:
    """Gradients of entries taken several times add up."""
    size, index = ctx.saved_tensors
    places = torch.arange(size.numel()).reshape(size)[index]
    return _add_up(grad_output, size, places)


def _take_backward(original: Callable[..., Any]) -> Callable[..., Any]:
    def backward(ctx: Any, grad_output: Any) -> Any:
        size, index, dim = ctx.saved_tensors
        return original(ctx, grad_output) if dim is not None else _add_up(grad_output, size, index)

    return backward


def _add_up(grad_output: Any, size: torch.Size, places: torch.Tensor) -> Any:
    """A gradient of shape `size` in which every entry of `grad_output` is added at its place."""
    zeros = grad_output.new(torch.zeros(size.numel()))
    return zeros.index_add(0, places.reshape(-1).long(), grad_output.flatten()).reshape(size)


def _permute_forward(ctx: Any, input: Any, *dims: Any) -> Any:
    """As torch's, with the dimensions as one sequence or one by one."""
    order = list(dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims)
    ctx.save_for_backward([dim % len(order) for dim in order])
    return input.permute(order)


def _pos_pow_backward(ctx: Any, grad_output: Any) -> Any:
    """p x^(p - 1), where CrypTen has p x^(p (p - 1)) for a p that is not whole."""
    saved, power = ctx.saved_tensors
    if isinstance(power, int | float) and int(power) == power:
        return saved.pow(power - 1).mul(power).mul(grad_output)
    return saved.mul(power - 1.0).exp().mul(power).mul(grad_output)
