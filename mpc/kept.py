"""The replicated form of a secret tensor, kept with it as long as nobody changes it.

A factor that was opened under the masks that party 2 shares with parties 0 and 1 needs no opening in the next
product, nor does its transpose: the form is the value's, and says nothing new when it is used again. CrypTen
copies a factor before it multiplies, so that a copy leads to the same form. A form is forgotten where torch
has counted a change of the share, where another tensor stands in its place, and where the streams begin anew:
a training that goes on from a checkpoint then opens what it opened before the crash, with the same masks.

All parties must find the same. In sums with public numbers only the first one's share changes: there the
form is dropped at all three. Who opens factors says which (mpc.helperless), and a difference is an error.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from mpc.protocols.product import Factor

# Of the attribute of CrypTen's tensors; it is not in files.
_NAME = "kept_form"


class Form:
    """What a value and its unchanged copies have in common: its replicated form, once there is one."""

    factor: Factor | None = None


class _Mark(NamedTuple):
    """Whose form it is: this share, at this count of changes, while the streams are these."""

    form: Form
    share: torch.Tensor
    version: int
    streams: object


def keep_forms(crypten: Any, active: Callable[[], bool]) -> None:
    """Let copies and transposes of additively shared tensors keep their forms while `active`."""
    kind = crypten.mpc.primitives.ArithmeticSharedTensor
    for name in ("clone", "shallow_copy"):
        setattr(kind, name, _copy(crypten, active, getattr(kind, name)))
    for name in ("t", "transpose"):
        setattr(kind, name, _turned(crypten, active, name, getattr(kind, name)))
    for name in ("_arithmetic_function", "index_add_", "scatter_add_"):
        setattr(kind, name, _dropping(getattr(kind, name)))
    kind.__getstate__ = lambda self: {name: own for name, own in vars(self).items() if name != _NAME}


def form_of(crypten: Any, tensor: Any) -> Form:
    """The tensor's form, which may be empty yet; its share must have been read."""
    mark = _mark(crypten, tensor)
    if mark is None:
        mark = _put(crypten, tensor, Form())
    return mark.form


def _mark(crypten: Any, tensor: Any) -> _Mark | None:
    mark: _Mark | None = vars(tensor).get(_NAME)
    if mark is None or mark.streams is not _streams(crypten):
        return None
    share = tensor.share
    return mark if share is mark.share and share._version == mark.version else None


def _put(crypten: Any, tensor: Any, form: Form) -> _Mark:
    share = tensor.share
    mark = _Mark(form, share, share._version, _streams(crypten))
    setattr(tensor, _NAME, mark)
    return mark


def _streams(crypten: Any) -> object:
    """An object that is another one whenever streams begin anew."""
    return crypten.generators["global"][torch.device("cpu")]


def _copy(crypten: Any, active: Callable[[], bool], original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(original)
    def copy(self: Any) -> Any:
        result = original(self)
        # A tensor that waits for its division must not be read for this.
        if active() and type(self) is type(result) and getattr(self, "waits", None) is None:
            _put(crypten, result, form_of(crypten, self))
        return result

    return copy


def _turned(
    crypten: Any, active: Callable[[], bool], name: str, original: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(original)
    def turned(self: Any, *dims: Any, **named: Any) -> Any:
        result = original(self, *dims, **named)
        mark = _mark(crypten, self) if active() else None
        if mark is not None and mark.form.factor is not None:
            form = Form()
            form.factor = Factor(*(getattr(part, name)(*dims, **named) for part in mark.form.factor))
            _put(crypten, result, form)
        return result

    return turned


def _dropping(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def changed(self: Any, *given: Any, **named: Any) -> Any:
        result = original(self, *given, **named)
        vars(result).pop(_NAME, None)
        return result

    return changed
