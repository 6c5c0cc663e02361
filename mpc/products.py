"""CrypTen's products by `mpc.protocols.product`: two local products, no division before it is read.

A matrix product or convolution on the tape of gradients takes its masks from one dealt tuple for the way
there and back: each factor is opened once, both gradients share their openings, and no gradient is computed
for a factor that needs none. Results wait for their division (mpc.waiting), so that a layer takes one round,
and its gradients one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from mpc.comparison import is_first
from mpc.kernels import named
from mpc.protocols.product import Factor, Layer, LayerMask, Product, layer, multiply, pair
from mpc.waiting import quotient

_PRODUCTS = ("mul", "matmul", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")


class _Kept(NamedTuple):
    """What a layer keeps for its gradients."""

    layer: Layer
    mask: LayerMask
    x: Factor
    y: Factor
    scale: int
    plain: list[Any]
    """The factors and settings, for CrypTen's own way back."""


def replace_products(crypten: Any) -> None:
    """Put them in the place of CrypTen's."""
    beaver, gradients = crypten.mpc.primitives.beaver, crypten.gradients
    for name in _PRODUCTS:
        setattr(beaver, name, _product(crypten, name, getattr(beaver, name)))
    for name, op in (("AutogradMatMul", "matmul"), ("AutogradConv2D", "conv2d")):
        function = getattr(gradients, name)
        original = function.backward
        function.forward = staticmethod(_layer_forward(crypten, op, function.forward))
        function.backward = staticmethod(_layer_backward(crypten, original))


def product(crypten: Any, x: Any, y: Any) -> Any:
    """Entry by entry, of two secret tensors of one scale whose shapes broadcast; the result waits."""
    protocol = getattr(crypten.mpc.primitives, crypten.cfg.mpc.protocol)
    raw = protocol.mul(x._tensor, y._tensor).share
    return quotient(crypten, raw, x.encoder.scale, x.encoder.scale)


def _product(crypten: Any, op: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def product(x: Any, y: Any, **options: Any) -> Any:
        """The raw product of two additively shared tensors; one opening."""
        if crypten.cfg.mpc.active_security:
            return original(x, y, **options)
        provider = crypten.mpc.get_default_provider()
        a, b, c = provider.generate_additive_triple(x.size(), y.size(), op, device=x.device, **options)
        known = _open(crypten, [x.share - a.share, y.share - b.share])
        u, v = Factor(known[0], a.share), Factor(known[1], b.share)
        c.share = multiply(partial(named(op), **options), u, v, c.share, is_first(crypten))
        return c

    return product


def _layer_forward(crypten: Any, op: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def forward(ctx: Any, input: Any, other: Any, *args: Any, **named: Any) -> Any:
        """As CrypTen's, with what the gradients need dealt and opened already where that can be."""
        if not _can_deal(crypten, ctx, op, input, other, args, named):
            return original(ctx, input, other, *args, **named)
        options = {name: pair(value) for name, value in _settings(args, named).items() if name != "groups"}
        sizes, wanted = (tuple(input.size()), tuple(other.size())), (input.requires_grad, other.requires_grad)
        mask = crypten.mpc.get_default_provider().layer(op, sizes, wanted, options)
        opened = _open(crypten, [input.share - mask.a, other.share - mask.b])
        x, y = (Factor(*both) for both in zip(opened, (mask.a, mask.b), strict=True))
        own, scale = layer(op, *sizes, options), input.encoder._scale
        share = _multiply(crypten, own.forward, x, y, mask.forward)
        plain = [input, other]
        if op == "conv2d":
            plain += [options.get(name, (one, one)) for name, one in _ORDER] + [1]
        ctx.save_multiple_for_backward([_Kept(own, mask, x, y, scale, plain)])
        return quotient(crypten, share, scale, scale)

    return forward


def _layer_backward(crypten: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def backward(ctx: Any, grad_output: Any) -> Any:
        """Gradients of both factors, None for one that needs none; one round."""
        kept = ctx.saved_tensors[0]
        if not isinstance(kept, _Kept):
            return original(ctx, grad_output)
        # The mask of the gradient covers one value: another call on the same tape takes CrypTen's way.
        ctx.reset()
        ctx.save_multiple_for_backward(kept.plain)
        if grad_output.encoder._scale != kept.scale:
            return original(ctx, grad_output)
        own, mask = kept.layer, kept.mask
        (opened,) = _open(crypten, [grad_output.share - mask.g])
        g, shares = Factor(opened, mask.g), {}
        if mask.left is not None:
            shares[0] = _multiply(crypten, own.left, g, kept.y, mask.left)
        if mask.right is not None:
            shares[1] = _multiply(crypten, own.right, kept.x, g, mask.right)
        return tuple(
            quotient(crypten, shares[place], kept.scale, kept.scale) if place in shares else None
            for place in range(2)
        )

    return backward


def _can_deal(
    crypten: Any, ctx: Any, op: str, x: Any, y: Any, args: tuple[Any, ...], named: dict[str, Any]
) -> bool:
    """Two shared tensors in fixed point, Beaver's protocol, and a layer that `protocols.product` knows."""
    if crypten.cfg.mpc.active_security or crypten.cfg.mpc.protocol != "beaver":
        return False
    if crypten.communicator.get().get_world_size() == 1:
        return False
    # A context off the tape keeps nothing.
    if not hasattr(ctx, "context"):
        return False
    if not all(isinstance(t, crypten.mpc.MPCTensor) and t.ptype == crypten.mpc.arithmetic for t in (x, y)):
        return False
    dimensions = 2 if op == "matmul" else 4
    return bool(
        x.dim() == y.dim() == dimensions
        and x.nelement() > 0
        and y.nelement() > 0
        and x.encoder._scale == y.encoder._scale > 1
        and _settings(args, named).get("groups", 1) == 1
    )


# A convolution's settings in CrypTen's orders: of its arguments, and (with defaults) of what gradients want.
_ARGUMENTS = ("stride", "padding", "dilation", "groups")
_ORDER = (("padding", 0), ("stride", 1), ("dilation", 1))


def _settings(args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(_ARGUMENTS, args, strict=False)) | named


def _open(crypten: Any, shares: list[torch.Tensor]) -> list[torch.Tensor]:
    """All of them in one message."""
    opened: list[torch.Tensor] = crypten.communicator.get().all_reduce(shares, batched=True)
    return opened


def _multiply(crypten: Any, f: Product, x: Factor, y: Factor, dealt: torch.Tensor) -> torch.Tensor:
    """A party that deals has all that it needs of the masks' product already."""
    deals = crypten.mpc.get_default_provider().deals
    return dealt if deals else multiply(f, x, y, dealt, is_first(crypten))
