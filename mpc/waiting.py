"""Secret tensors whose division by a public number waits until somebody reads them, or never takes a round.

A product of fixed-point numbers carries its scale twice. CrypTen divides at once, one round a product. Here
the result of a layer waits: its size is known, shares are moved, negated and added to without dividing, and
the division happens when a share is read. That is an operation like any other: all parties take part in it,
at the same place of the program. Size, dimensions and repr cost nothing.

Some readers need no round for it: a test of signs (mpc.protocols.compare) and a product with its result
(mpc.protocols.gate), whose openings give the quotient too; a further division, which becomes one with this;
and whoever reads several tensors at once (`settle`).

What is opened is what mpc.protocols.truncate opens, so nothing changes for security. The values are those of
`mpc.protocols.truncate` as well: within one unit of the exact quotient.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from mpc.division import divide_all

_SMALLEST_DIVISOR = 1 << 19
Move = Callable[[torch.Tensor], torch.Tensor]


class Waiting:
    """This party's share of floor(raw / divisor) + base, until `value` has been found.

    A view of another (its entries moved or negated, or something added) is given by `origin`, and finds its
    value from that one's unless a reader found its own quotient before.
    """

    def __init__(
        self,
        raw: torch.Tensor,
        divisor: int,
        base: torch.Tensor | None = None,
        origin: tuple[Waiting, Move] | None = None,
    ) -> None:
        self.raw, self.divisor, self.base, self.origin = raw, divisor, base, origin
        self.value: torch.Tensor | None = None

    def moved(self, move: Move) -> Waiting:
        """The same entries elsewhere or negated; `move` is linear."""
        base = None if self.base is None else move(self.base)
        return Waiting(move(self.raw), self.divisor, base, (self, move))

    def plus(self, share: torch.Tensor) -> Waiting:
        """With a share of a known tensor of this shape added, which nobody writes into."""
        base = share if self.base is None else self.base + share
        return Waiting(self.raw, self.divisor, base, (self, lambda value: value + share))

    def times(self, factor: float) -> tuple[torch.Tensor, int] | None:
        """What to divide, and by what, for `factor` times the value: one division for both.

        None if something was added, or if rounding the divisor would change more than 2^-20 of it.
        """
        divisor = round(self.divisor / abs(factor)) if factor else 0
        if self.base is not None or not _SMALLEST_DIVISOR <= divisor < 1 << 62:
            return None
        return (self.raw if factor > 0 else -self.raw), divisor

    def whole(self) -> torch.Tensor:
        """raw + divisor base, which divides to the same; it must stay in [-2^62, 2^62)."""
        return self.raw if self.base is None else self.raw + self.base * self.divisor

    def root(self) -> Waiting:
        """The nearest one it is a view of that has a value, or the one to be divided."""
        own = self
        while own.value is None and own.origin is not None:
            own = own.origin[0]
        return own

    def follow(self) -> torch.Tensor:
        """The value; the root must have one."""
        if self.value is None:
            if self.origin is None:
                raise AssertionError("a quotient was read before the division")
            origin, move = self.origin
            self.value = move(origin.follow())
        return self.value


def settle(crypten: Any, tensors: Sequence[Any]) -> None:
    """Do the divisions that secret tensors wait for, in one round for all; others are left as they are."""
    _settle(crypten, [own for tensor in tensors if (own := waiting(tensor)) is not None])


def _settle(crypten: Any, wanted: Sequence[Waiting]) -> None:
    found = [*{id(root): root for own in wanted if (root := own.root()).value is None}.values()]
    if found:
        quotients = divide_all(crypten, [root.raw for root in found], [root.divisor for root in found])
        for root, quotient in zip(found, quotients, strict=True):
            root.value = quotient if root.base is None else quotient + root.base


def waiting(tensor: Any) -> Waiting | None:
    """What a secret tensor waits for, None if it does not."""
    shares = getattr(tensor, "_tensor", None)
    own: Waiting | None = getattr(shares, "waits", None)
    return own


def undivided(crypten: Any, tensor: Any) -> Waiting | None:
    """What a tensor waits for, for a reader that takes it as `whole`; None if it does not wait (any more).

    Where something was added that a division finer than the own scale might not leave room for, the division
    is done at once.
    """
    own = waiting(tensor)
    if own is not None and own.base is not None and own.divisor > tensor.encoder.scale:
        settle(crypten, [tensor])
        return None
    return own


def quotient(crypten: Any, raw: torch.Tensor, divisor: int, scale: int) -> Any:
    """The secret tensor raw / divisor, whose values carry the factor `scale`; it waits."""
    tensor = crypten.mpc.MPCTensor.from_shares(raw, precision=scale.bit_length() - 1)
    tensor._tensor = _kind(crypten)(Waiting(raw, divisor), tensor.encoder)
    return tensor


def fold(tensor: Any) -> Any:
    """A waiting tensor with what was added to it under the division, so that it can be divided further.

    The sum times the divisor must stay in [-2^62, 2^62) as a raw value: whoever calls this knows so.
    """
    own = waiting(tensor)
    if own is not None and own.base is not None:
        tensor._tensor = type(tensor._tensor)(Waiting(own.whole(), own.divisor), tensor.encoder)
    return tensor


_MOVES = ["__getitem__", "expand", "flatten", "flip", "narrow", "permute", "reshape", "squeeze", "t"]
_MOVES += ["transpose", "unsqueeze", "view"]
_PROPERTIES = ("__len__", "nelement", "dim", "size", "numel")
# CrypTen lets only the first party touch its share in these: all must have divided before.
_RANK_DEPENDENT = ("index_add", "index_add_", "scatter_add", "scatter_add_")


@functools.cache
def _kind(crypten: Any) -> Any:
    """CrypTen's class of additive shares, with a share that is found when it is read."""
    shared: Any = crypten.mpc.primitives.ArithmeticSharedTensor

    class Quotient(shared):  # type: ignore[misc]
        def __init__(self, own: Waiting, encoder: Any) -> None:
            self._own, self.encoder = own, encoder
            self._words: torch.Tensor | None = None

        @property
        def waits(self) -> Waiting | None:
            return self._own if self._words is None and self._own.root().value is None else None

        @property
        def _tensor(self) -> torch.Tensor:
            if self._words is None:
                _settle(crypten, [self._own])
                # CrypTen writes into shares; views and copies of this tensor have the value in common.
                self._words = self._own.follow().clone()
            return self._words

        @_tensor.setter
        def _tensor(self, words: torch.Tensor) -> None:
            self._words = words

        @property
        def device(self) -> torch.device:
            return self._own.raw.device

        def shallow_copy(self) -> Any:
            return super().shallow_copy() if self.waits is None else Quotient(self._own, self.encoder)

        def clone(self) -> Any:
            return super().clone() if self.waits is None else Quotient(self._own, self.encoder)

        def neg(self) -> Any:
            return super().neg() if self.waits is None else self._moved(torch.neg)

        __neg__ = neg

        def add(self, y: Any) -> Any:
            known = self._known(y)
            return super().add(y) if known is None else Quotient(self._own.plus(known), self.encoder)

        __add__ = __radd__ = add

        def sub(self, y: Any) -> Any:
            known = self._known(y)
            return super().sub(y) if known is None else Quotient(self._own.plus(-known), self.encoder)

        __sub__ = sub

        def div_(self, y: Any) -> Any:
            own, whole = self.waits, isinstance(y, int | float) and y >= 1 and y == int(y)
            if own is None or own.base is not None or not whole or own.divisor * int(y) >= 1 << 62:
                return super().div_(y)
            self._own = Waiting(own.raw, own.divisor * int(y))
            return self

        def __reduce_ex__(self, protocol: Any) -> Any:
            return _plain(self).__reduce_ex__(protocol)

        def _moved(self, move: Move) -> Any:
            return Quotient(self._own.moved(move), self.encoder)

        def _known(self, y: Any) -> torch.Tensor | None:
            """This party's share of an addend that does not wait, in the own shape; None if it is no such."""
            if self.waits is None:
                return None
            size = self._own.raw.size()
            if isinstance(y, int | float) or torch.is_tensor(y):
                encoded = self.encoder.encode(y)
                share = encoded if crypten.communicator.get().get_rank() == 0 else torch.zeros_like(encoded)
            elif isinstance(y, shared) and y.encoder.scale == self.encoder.scale and not waits(y):
                share = y.share
            else:
                return None
            if np.broadcast_shapes(share.size(), size) != size:
                return None
            # A parameter that was added may change in place before the sum is read.
            return share.clone().expand(size)

        @staticmethod
        def cat(tensors: Any, *args: Any, **named: Any) -> Any:
            return shared.cat([_plain(each) for each in tensors], *args, **named)

        @staticmethod
        def stack(tensors: Any, *args: Any, **named: Any) -> Any:
            return shared.stack([_plain(each) for each in tensors], *args, **named)

    def waits(shares: Any) -> bool:
        return isinstance(shares, Quotient) and shares.waits is not None

    def _plain(each: Any) -> Any:
        if not isinstance(each, Quotient):
            return each
        result = shared.from_shares(each.share)
        result.encoder = each.encoder
        return result

    for name in _MOVES:
        setattr(Quotient, name, _move(name, getattr(shared, name)))
    for name in _PROPERTIES:
        setattr(Quotient, name, _property(name))
    for name in _RANK_DEPENDENT:
        setattr(Quotient, name, _after_reading(getattr(shared, name)))
    return Quotient


def _move(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    # What was added may be repeated in memory, where a sum would not be: torch has no view of that.
    of_words = "reshape" if name == "view" else name

    def method(self: Any, *args: Any, **named: Any) -> Any:
        if self.waits is None:
            return original(self, *args, **named)
        return self._moved(lambda words: getattr(words, of_words)(*args, **named))

    return method


def _property(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **named: Any) -> Any:
        words = self._words if self._words is not None else self._own.raw
        return getattr(words, name)(*args, **named)

    return method


def _after_reading(original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **named: Any) -> Any:
        _ = self.share
        return original(self, *args, **named)

    return method
