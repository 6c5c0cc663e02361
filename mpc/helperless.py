"""CrypTen's tensors on replicated shares among three parties: mpc.protocols.replicated in its place.

Every secret tensor is shared by parties 0 and 1; the third party's share is zero. Products of fixed-point
numbers leave it a share of its own until they are divided (mpc.waiting); what is left of another product, and
its inputs, it hands over. Whatever a program opens is covered by a sharing of zero before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from mpc.kept import Form, form_of, keep_forms
from mpc.kernels import named
from mpc.pairwise import PairCommunicator
from mpc.protocols.product import Factor
from mpc.protocols.replicated import THIRD, product
from mpc.third import ThirdDealer

_PRODUCTS = ("mul", "matmul", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")
# Where the source stands among the positional arguments.
_SOURCE_AT = {"ArithmeticSharedTensor": 4, "BinarySharedTensor": 3}
# No key: zeros in the place of a stream.
NO_KEY = b""


def replace_for_pair(crypten: Any) -> None:
    """Put them beside those for additive shares; which are taken depends on the communicator."""
    primitives = crypten.mpc.primitives
    for name in _PRODUCTS:
        setattr(primitives.beaver, name, _product(crypten, name, getattr(primitives.beaver, name)))
    primitives.beaver.square = _square(crypten, primitives.beaver.square)
    for kind, bitwise in ((primitives.ArithmeticSharedTensor, False), (primitives.BinarySharedTensor, True)):
        kind.__init__ = _shared(crypten, kind.__init__, _SOURCE_AT[kind.__name__], bitwise)
        kind.get_plain_text = _output(crypten, kind.get_plain_text, bitwise)
    crypten.mpc.MPCTensor.reveal = _reveal(crypten)
    keep_forms(crypten, lambda: _pairwise(crypten))
    module = primitives.replicated
    module.replicate_shares = _additive_only(crypten, module.replicate_shares)
    module.truncate = _additive_only(crypten, module.truncate)


def for_pair(keys: Any, rank: int) -> Any:
    """Of the keys that neighbours share those of parties 0 and 1; the third party draws zeros."""
    if rank == THIRD:
        return replace(keys, previous=NO_KEY, next=NO_KEY, local=NO_KEY)
    return replace(keys, previous=NO_KEY) if rank == 0 else replace(keys, next=NO_KEY)


def _pairwise(crypten: Any) -> bool:
    return isinstance(crypten.communicator.get(), PairCommunicator)


def _dealer(crypten: Any) -> ThirdDealer:
    dealer: ThirdDealer = crypten.mpc.get_default_provider().third
    return dealer


def _product(crypten: Any, op: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def raw_product(x: Any, y: Any, **options: Any) -> Any:
        """The raw product of two tensors; one opening, nothing is dealt."""
        if not _pairwise(crypten):
            return original(x, y, **options)
        _refuse_active(crypten)
        f = partial(named(op), **options)
        return _multiplied(crypten, f, [x, y], truncated=x.encoder._scale > 1 and y.encoder._scale > 1)

    return raw_product


def _square(crypten: Any, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def square(x: Any) -> Any:
        """The raw square; its factor is opened once."""
        if not _pairwise(crypten):
            return original(x)
        return _multiplied(crypten, torch.mul, [x], truncated=x.encoder._scale > 1)

    return square


def _multiplied(crypten: Any, f: Callable[..., Any], factors: list[Any], truncated: bool) -> Any:
    """f of both factors, or of the only one twice; `truncated` if the product is divided right after."""
    known = _replicated(crypten, factors)
    share = product(f, known[0], known[-1], crypten.communicator.get().get_rank())
    if not truncated:
        share = _dealer(crypten).hand_over(share)
    return crypten.mpc.primitives.ArithmeticSharedTensor.from_shares(share, precision=0)


def _replicated(crypten: Any, factors: list[Any]) -> list[Factor]:
    """The replicated forms; those that are not known are made in one opening."""
    # Reading a share may take a division: everywhere before anything is drawn.
    shares = [factor.share for factor in factors]
    forms = [form_of(crypten, factor) for factor in factors]
    unknown = {form: share for form, share in zip(forms, shares, strict=True) if form.factor is None}
    if unknown:
        dealer, communicator = _dealer(crypten), crypten.communicator.get()
        masks = dealer.masks([tuple(share.size()) for share in unknown.values()])
        # Of the third party's mask nothing is added, and its share is zero.
        added = [torch.zeros_like(mask) if dealer.third else mask for mask in masks]
        hidden = [share - mask for share, mask in zip(unknown.values(), added, strict=True)]
        *opened, difference = communicator.all_reduce([*hidden, _sign_of(communicator, forms)], batched=True)
        if bool(difference):
            raise ValueError("one party opens a factor that another knows: the parties' programs differ")
        for form, e, mask in zip(unknown, opened, masks, strict=True):
            form.factor = Factor(e, mask)
    return [form.factor for form in forms if form.factor is not None]


def _sign_of(communicator: PairCommunicator, forms: list[Form]) -> torch.Tensor:
    """A number for which of them are known, whose sum over the parties is zero where they agree."""
    pattern = sum(1 << place for place, form in enumerate(forms) if form.factor is None)
    return torch.tensor([pattern * (1, -1, 0)[communicator.get_rank()]])


def _refuse_active(crypten: Any) -> None:
    if crypten.cfg.mpc.active_security:
        raise NotImplementedError(
            "cfg.mpc.active_security checks triples of a helper: use sharing 'additive'"
        )


def _shared(crypten: Any, original: Callable[..., None], place: int, bitwise: bool) -> Callable[..., None]:
    @functools.wraps(original)
    def init(self: Any, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        source = given[place] if len(given) > place else named.get("src", 0)
        if source == THIRD and _pairwise(crypten):
            self.share = _dealer(crypten).hand_over(self.share, bitwise)

    return init


def _output(crypten: Any, original: Callable[..., Any], bitwise: bool) -> Callable[..., Any]:
    @functools.wraps(original)
    def get_plain_text(self: Any, dst: int | None = None) -> Any:
        if not _pairwise(crypten) or self.nelement() < 1:
            return original(self, dst)
        return self.encoder.decode(_opened(crypten, self, bitwise, dst))

    return get_plain_text


def _reveal(crypten: Any) -> Callable[..., Any]:
    def reveal(self: Any, dst: int | None = None) -> Any:
        """The raw value in the clear, to all parties or to one."""
        if not _pairwise(crypten):
            return self._tensor.reveal(dst=dst)
        return _opened(crypten, self._tensor, self.ptype == crypten.mpc.binary, dst)

    return reveal


def _opened(crypten: Any, tensor: Any, bitwise: bool, dst: int | None) -> torch.Tensor | None:
    """The raw value, by shares that tell the third party no more than it."""
    share = tensor.share
    zero = type(tensor).PRZS(share.size()).share
    fresh = share ^ zero if bitwise else share + zero
    value: torch.Tensor | None = crypten.communicator.get().output(fresh, dst, bitwise)
    return value


def _additive_only(crypten: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*given: Any, **named: Any) -> Any:
        """CrypTen's own replicated protocol would show the second party all shares."""
        if _pairwise(crypten):
            raise NotImplementedError(
                "cfg.mpc.protocol 'replicated' is CrypTen's, for sharing 'additive' only"
            )
        return original(*given, **named)

    return guarded
