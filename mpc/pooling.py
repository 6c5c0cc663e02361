"""Maxima over the windows of maps; a ReLU just before them is computed after them, on fewer entries.

relu and max commute: max_pool2d(relu(x)) = relu(max_pool2d(x)), and where the derivative of ReLU at 0 is 0
and the first of equal entries gets the gradient, so do their gradients, ties included. If the largest entry
is above 0, it and those before it are what they were; if not, neither order has a gradient. A ReLU of maps
(four dimensions) therefore waits until something reads it. If a pool does, it takes the entries before the
ReLU; if anything else does, the ReLU is computed then, and all is as if it had never waited. Whoever reads it
must do so at all parties, as with every operation on shares; shape and repr cost nothing.

A division that the maps wait for (mpc.waiting) is left to the entries that win as well: the larger product is
the larger quotient. A ReLU after it takes no round for it. Where products differ by less than a unit of the
quotient, the larger one wins, not the first of equal quotients.

The gradient of a window goes down the tournament that its entries played: the winner's to whoever of two won,
one gate a pair (mpc.protocols.gate), in place of a product of one-hot places with the gradient. Of four
entries that opens 3 times 65 bits an output. Places are computed only for who asks for them.

Security: the operations are those of mpc.comparison and mpc.maximum; all that differs, their order, is
public.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import torch

from mpc.comparison import Negative, bits_of, gate, is_first, negatives
from mpc.maximum import TREES, hand_down, knockout, places
from mpc.protocols.product import Shape, pair
from mpc.waiting import quotient, undivided

# What pads maps: below all values, also before a division, and no further from any than a difference may be.
_LEAST = 1 - (1 << 62)


@dataclass(frozen=True)
class _Windows:
    """Settings of a pool, as torch has them, for maps of a size (rows, channels, height, width)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    ceil_mode: bool

    def counts(self, size: Shape) -> list[int]:
        """How many windows there are in each direction; with ceil_mode the last may reach over the end."""
        counts = []
        for n, span, s, p in zip(size[2:], self._spans(), self.stride, self.padding, strict=True):
            steps, rest = divmod(n + 2 * p - span, s)
            one_more = self.ceil_mode and rest and (steps + 1) * s < n + p
            counts.append(steps + 1 + bool(one_more))
        if min(counts) < 1:
            raise ValueError(f"maps of {size[2]} by {size[3]} are smaller than a window of {self.kernel}")
        return counts

    def extent(self, size: Shape) -> list[int]:
        """The shape of the padded maps, as far as windows reach."""
        parts = zip(size[2:], self.counts(size), self._spans(), self.stride, self.padding, strict=True)
        return [*size[:2], *(max(n + 2 * p, (count - 1) * s + span) for n, count, span, s, p in parts)]

    def places(self, size: Shape) -> list[tuple[slice, ...]]:
        """Of each entry of a window: where it is in the padded maps, for all windows."""
        return [
            (slice(None), slice(None), *self._lines(corner, size))
            for corner in product(*map(range, self.kernel))
        ]

    def _lines(self, corner: tuple[int, ...], size: Shape) -> list[slice]:
        parts = zip(corner, self.counts(size), self.stride, self.dilation, strict=True)
        return [slice(at * d, at * d + (count - 1) * s + 1, s) for at, count, s, d in parts]

    def _spans(self) -> list[int]:
        return [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]


class _Kept(NamedTuple):
    """What a pool keeps for its gradient."""

    size: Shape
    windows: _Windows
    wins: list[Negative]
    positive: Negative | None
    """The test whether the largest entry is above 0, if a ReLU came first."""


def replace_pooling(crypten: Any) -> None:
    """Put them in the place of CrypTen's."""
    tensor, gradients = crypten.mpc.MPCTensor, crypten.gradients
    late_relu = _late_relu(crypten)
    pool, pool_gradient = tensor.max_pool2d, gradients.AutogradMaxPool2D
    tensor.max_pool2d = _method(crypten, late_relu, pool)
    pool_gradient.forward = staticmethod(_forward(crypten, late_relu, pool_gradient.forward))
    pool_gradient.backward = staticmethod(_backward(crypten, pool_gradient.backward))
    tensor.relu = _relu(late_relu, tensor.relu)
    relu = gradients.AutogradReLU
    relu.forward = staticmethod(_relu_forward(late_relu, relu.forward))
    relu.backward = staticmethod(_relu_backward(crypten, relu.backward))


def _late_relu(crypten: Any) -> Any:
    mpc_tensor = crypten.mpc.MPCTensor

    class LateRelu(mpc_tensor):  # type: ignore[misc, valid-type]
        """A ReLU that is computed when its share is first read, and is an ordinary tensor from then on."""

        before: Any
        """What it is the ReLU of."""
        tests: list[Negative]
        """Gets the test of which the derivative is the result."""

        @staticmethod
        def of(before: Any, tests: list[Negative]) -> Any:
            relu = mpc_tensor([])
            relu.__class__ = LateRelu
            relu.before, relu.tests = before, tests
            return relu

        @property
        def _tensor(self) -> Any:
            with mpc_tensor.no_grad():
                opposite = negatives(crypten, -self.before)
                value = -opposite.part
            self.tests.append(opposite)
            self._tensor = value._tensor
            return self._tensor

        @_tensor.setter
        def _tensor(self, tensor: Any) -> None:
            self.__class__ = mpc_tensor
            self.__dict__.pop("before", None)
            self._tensor = tensor

        def backward(self, grad_input: Any = None, top_node: bool = True) -> None:
            """As CrypTen's; a gradient that does not come from a pool needs the derivative."""
            if top_node:
                _ = self._tensor
            mpc_tensor.backward(self, grad_input, top_node)

    for name in ("size", "dim", "nelement", "numel", "__len__"):
        setattr(LateRelu, name, _of_shape(name))
    # These look at the class before they read.
    for name in ("__setitem__", "__reduce_ex__"):
        setattr(LateRelu, name, _once_read(name))
    LateRelu.shape = property(lambda self: self.before.shape)
    return LateRelu


def _of_shape(name: str) -> Callable[..., Any]:
    return lambda self, *args: getattr(self.before, name)(*args)


def _once_read(name: str) -> Callable[..., Any]:
    def read_first(self: Any, *args: Any, **named: Any) -> Any:
        _ = self._tensor
        return getattr(self, name)(*args, **named)

    return read_first


def _waits(x: Any) -> bool:
    return bool(x.dim() == 4 and x.nelement())


def _relu(late_relu: Any, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    # A copy, since x may change in place before the ReLU is read.
    return lambda self: late_relu.of(self.clone(), []) if _waits(self) else original(self)


def _relu_forward(late_relu: Any, original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def forward(ctx: Any, input: Any) -> Any:
        """The value, and the derivative once it is known: not before somebody reads the value."""
        if not _waits(input):
            return original(ctx, input)
        tests: list[Negative] = []
        ctx.save_for_backward(tests)
        return late_relu.of(input.clone(), tests)

    return forward


def _relu_backward(crypten: Any, original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def backward(ctx: Any, grad_output: Any) -> Any:
        """What comes from a pool has the derivative in it; nothing else comes while the value is unread."""
        tests = ctx.saved_tensors[0]
        if not isinstance(tests, list):
            return original(ctx, grad_output)
        return gate(crypten, grad_output, tests[0]) if tests else grad_output

    return backward


def _method(crypten: Any, late_relu: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def max_pool2d(
        self: Any,
        kernel_size: Any,
        padding: Any = 0,
        stride: Any = None,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        """As CrypTen's, with any padding; one-hot places only where they are asked for."""
        settings = (kernel_size, padding, stride, dilation, ceil_mode)
        if not _by_tournament(crypten, self):
            return original(self, *settings, return_indices)
        best, kept = _pool(crypten, late_relu, self, _windows(*settings), return_indices)
        return (best, _one_hot(crypten, best, kept)) if return_indices else best

    return max_pool2d


def _forward(crypten: Any, late_relu: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def forward(
        ctx: Any,
        input: Any,
        kernel_size: Any,
        padding: Any = 0,
        stride: Any = None,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        settings = (kernel_size, padding, stride, dilation, ceil_mode)
        if not _by_tournament(crypten, input):
            return original(ctx, input, *settings, return_indices)
        best, kept = _pool(crypten, late_relu, input, _windows(*settings), return_indices)
        ctx.save_for_backward(kept)
        if not return_indices:
            return best
        indices = _one_hot(crypten, best, kept)
        ctx.mark_non_differentiable(indices)
        return best, indices

    return forward


def _backward(crypten: Any, original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def backward(ctx: Any, grad_output: Any) -> Any:
        """One product a round of the tournament, and one for a ReLU before it."""
        kept = ctx.saved_tensors[0]
        if not isinstance(kept, _Kept):
            return original(ctx, grad_output)
        gradient = grad_output if kept.positive is None else gate(crypten, grad_output, kept.positive)
        played = hand_down(crypten, kept.wins, gradient.unsqueeze(-1))
        played.share = _spread(played.share, kept.size, kept.windows)
        return played

    return backward


def _by_tournament(crypten: Any, x: Any) -> bool:
    """Maps of shares, and no method of CrypTen's own asked for."""
    method = crypten.cfg.functions.max_method
    return bool(x.dim() == 4 and x.ptype == crypten.mpc.arithmetic and method in TREES)


def _windows(kernel: Any, padding: Any, stride: Any, dilation: Any, ceil_mode: bool) -> _Windows:
    size = pair(kernel)
    step = size if stride is None else pair(stride)
    return _Windows(size, step, pair(padding or 0), pair(dilation), ceil_mode)


def _pool(crypten: Any, late_relu: Any, x: Any, windows: _Windows, plain: bool) -> tuple[Any, _Kept]:
    """The largest entries, of a ReLU that waits if that is fewer of them; `plain` never leaves it waiting."""
    size = tuple(x.size())
    fewer = math.prod(windows.counts(size)) < size[2] * size[3]
    late = isinstance(x, late_relu) and fewer and not plain
    source = x.before if late else x
    share, divisor = _undivided(crypten, source)
    rows = _entries(share, windows, is_first(crypten))
    best, wins = knockout(crypten, bits_of(crypten, rows))
    best = _divided(crypten, best.share.squeeze(-1), divisor, int(source.encoder.scale))
    if not late:
        return best, _Kept(size, windows, wins, None)
    opposite = negatives(crypten, -best)
    return -opposite.part, _Kept(size, windows, wins, opposite)


def _undivided(crypten: Any, x: Any) -> tuple[torch.Tensor, int]:
    """A share, and the number that it waits to be divided by, or 1."""
    own = undivided(crypten, x)
    if own is None:
        return x.share, 1
    return crypten.mpc.get_default_provider().summed(own.whole()), own.divisor


def _divided(crypten: Any, share: torch.Tensor, divisor: int, scale: int) -> Any:
    """The secret tensor with this factor in its values; a division waits."""
    if divisor > 1:
        return quotient(crypten, share, divisor, scale)
    return crypten.mpc.MPCTensor.from_shares(share, precision=scale.bit_length() - 1)


def _one_hot(crypten: Any, best: Any, kept: _Kept) -> Any:
    """Of shape (rows, channels, height, width, *kernel): 1 at the first largest entry."""
    size, kernel = tuple(best.size()), kept.windows.kernel
    return places(crypten, kept.wins, (*size, math.prod(kernel))).reshape(*size, *kernel)


def _entries(share: torch.Tensor, windows: _Windows, first: bool) -> torch.Tensor:
    """The entries of each window along a last dimension; one party, the `first`, pads with a number."""
    maps = share.new_full(windows.extent(share.shape), _LEAST if first else 0)
    (top, left), (height, width) = windows.padding, share.shape[2:]
    maps[:, :, top : top + height, left : left + width] = share
    return torch.stack([maps[place] for place in windows.places(share.shape)], dim=-1)


def _spread(played: torch.Tensor, size: Shape, windows: _Windows) -> torch.Tensor:
    """Entries of windows added up at their places in maps of this size."""
    maps = played.new_zeros(windows.extent(size))
    for number, place in enumerate(windows.places(size)):
        maps[place] += played[..., number]
    (top, left), (height, width) = windows.padding, size[2:]
    return maps[:, :, top : top + height, left : left + width]
