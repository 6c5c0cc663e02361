"""CrypTen's comparisons and what is built on them, by `mpc.protocols.compare` or `mpc.protocols.compare_dcf`.

CrypTen shares every party's share bit by bit and adds them up in a circuit: 8 rounds and 432 bytes a test
between two parties, sent and received, against 4 rounds and 24.5 bytes here, or 1 round and 16 bytes where
the parties agreed on keys (mpc.choice), for which the dealer sends 2 kB a test. ReLU and absolute value cost
nothing beyond the test; the largest of several is mpc.maximum's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mpc.protocols import compare, compare_dcf
from mpc.protocols.bits import plane_words
from mpc.protocols.compare import Sign, SignedQuotient
from mpc.protocols.gate import gated, gated_quotient
from mpc.protocols.opening import Array, Protocol, Result, together
from mpc.waiting import Waiting, undivided, waiting


class Negative(NamedTuple):
    """Secret tensors: `bit` is 1 where the argument is negative, `part` the argument there; else 0.

    `plane` is the bit shared bitwise, if the test left it so.
    """

    bit: Any
    part: Any
    plane: Array | None = None


def negatives(crypten: Any, x: Any) -> Negative:
    """Of an additively shared tensor: four rounds and 12.25 bytes an entry to each other, or one and 8.

    By the tree a tensor that waits for its division is divided on the way.
    """
    own = waiting(x)
    if not x.nelement():
        return Negative(bits_of(crypten, x.share), x.clone())
    if own is None or own.divisor > x.encoder.scale or by_key(crypten, x.nelement()):
        (sign,) = run_together(crypten, [sign_test(crypten, words_of(x.share))])
    else:
        sign, own.value = _with_quotient(crypten, own)
    bit, part = (tensor_of(words, x.size()) for words in sign[:2])
    return Negative(bits_of(crypten, bit), with_share(x, part), sign.plane)


def gate(crypten: Any, x: Any, test: Negative) -> Any:
    """x where `test` found its argument negative, else 0; one round, a division that x waits for included."""
    if test.plane is None or tuple(x.size()) != tuple(test.bit.size()) or not x.nelement():
        return x.mul(test.bit)
    own = undivided(crypten, x)
    provider, count, first = crypten.mpc.get_default_provider(), x.nelement(), is_first(crypten)
    protocol: Protocol[Array]
    if own is None:
        words = words_of(x.share)
        protocol = gated(words, test.plane, provider.gate(count), first)
    else:
        words, mask = words_of(provider.summed(own.whole())), provider.quotient_gate(count, own.divisor)
        protocol = gated_quotient(words, own.divisor, test.plane, mask, first)
    return with_share(x, tensor_of(run_opening(crypten, protocol, no_words(count)), x.size()))


def _with_quotient(crypten: Any, own: Waiting) -> tuple[Sign, torch.Tensor]:
    """The tests of what is to be divided, and the share of its quotient."""
    provider = crypten.mpc.get_default_provider()
    raw = provider.summed(own.whole())
    mask, of_quotient = provider.quotient_comparison(raw.nelement(), own.divisor)
    protocol = compare.negative_quotient(words_of(raw), own.divisor, mask, of_quotient, is_first(crypten))
    negative, selected, plane = _no_sign(raw.nelement())
    result = run_opening(crypten, protocol, SignedQuotient(negative, selected, plane, selected))
    return Sign(*result[:3]), tensor_of(result.quotient, raw.size())


def sign_test(crypten: Any, words: Array) -> Protocol[Sign]:
    """The protocol that the parties agreed on for so many tests."""
    provider = crypten.mpc.get_default_provider()
    if by_key(crypten, words.size):
        keys = provider.sign_keys(words.size)
        protocol = compare_dcf.negative(words, keys, is_first(crypten))
    else:
        protocol = compare.negative(words, provider.comparison(words.size), is_first(crypten))
    return _idle(Sign(*_no_sign(words.size))) if provider.deals else protocol


def _no_sign(count: int) -> tuple[Array, Array, Array]:
    nothing = no_words(count)
    return nothing, nothing, np.zeros((1, plane_words(count)), dtype=np.uint64)


def _idle(result: Result) -> Protocol[Result]:
    """What a party that deals takes part in: no opening; it gets shares of zero."""
    yield from ()
    return result


def by_key(crypten: Any, count: int) -> bool:
    """Whether `count` tests at once go by keys rather than by the tree."""
    return bool(crypten.mpc.get_default_provider().comparing.by_key(count))


def run_together(crypten: Any, protocols: Sequence[Protocol[Result]]) -> list[Result]:
    """Run protocols between the computing parties, their openings in one message a round."""
    communicator = crypten.communicator.get()

    def gather(octets: Array) -> list[Array]:
        return [part.numpy() for part in communicator.all_gather(torch.from_numpy(octets))]

    return together(protocols, gather)


def run_opening(crypten: Any, protocol: Protocol[Result], nothing: Result) -> Result:
    """What one protocol gives between those who open values; a party that deals gets `nothing`, zeros."""
    if crypten.mpc.get_default_provider().deals:
        return nothing
    (result,) = run_together(crypten, [protocol])
    return result


def is_first(crypten: Any) -> bool:
    """Whether this is the party that adds public terms."""
    return bool(crypten.communicator.get().get_rank() == 0)


def words_of(share: torch.Tensor) -> Array:
    """A share in a row, as words."""
    words: Array = share.detach().contiguous().numpy().view(np.uint64).reshape(-1)
    return words


def tensor_of(words: Array, size: Sequence[int]) -> torch.Tensor:
    """Words in a row as a share of that size."""
    return torch.from_numpy(np.ascontiguousarray(words).view(np.int64)).reshape(tuple(size))


def no_words(count: int) -> Array:
    """Zeros in a row; no memory is touched before they are used."""
    return np.zeros(count, dtype=np.uint64)


def with_share(x: Any, share: torch.Tensor) -> Any:
    """A secret tensor with this share and the fractional bits of x."""
    result = type(x).from_shares(share, precision=0)
    result.encoder = x.encoder
    return result


def bits_of(crypten: Any, share: torch.Tensor) -> Any:
    """The secret tensor of this share, without fractional bits."""
    return crypten.mpc.MPCTensor.from_shares(share, precision=0)


def replace_comparisons(crypten: Any) -> None:
    """Put them in the place of CrypTen's."""
    tensor, gradients = crypten.mpc.MPCTensor, crypten.gradients
    tensor._ltz = _ltz(crypten, tensor._ltz)
    tensor.eq = lambda self, y: 1 - self.ne(y)
    tensor.ne = _ne
    tensor.relu = lambda self: self - negatives(crypten, self).part
    tensor.abs = lambda self: self - negatives(crypten, self).part * 2
    gradients.AutogradReLU.forward = staticmethod(_relu_forward(crypten))
    gradients.AutogradReLU.backward = staticmethod(_relu_backward(crypten))
    gradients.AutogradAbs.forward = staticmethod(_abs_forward(crypten))


def _ltz(crypten: Any, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def ltz(self: Any) -> Any:
        """1 where negative, else 0, without fractional bits."""
        return original(self) if self.ptype == crypten.mpc.binary else negatives(crypten, self).bit

    return ltz


def _ne(self: Any, y: Any) -> Any:
    """1 where unlike, for differences above -2^63: one of d and -d is negative unless d is zero."""
    difference = self - y
    difference.share = torch.stack([difference.share, -difference.share])
    return difference._ltz().sum(0)


def _relu_forward(crypten: Any) -> Callable[[Any, Any], Any]:
    def forward(ctx: Any, input: Any) -> Any:
        """As CrypTen's, with the derivative (0 at 0) and the value from one test."""
        opposite = negatives(crypten, -input)
        ctx.save_for_backward(opposite)
        return -opposite.part

    return forward


def _relu_backward(crypten: Any) -> Callable[[Any, Any], Any]:
    def backward(ctx: Any, grad_output: Any) -> Any:
        """The gradient where the argument was positive; one round."""
        (opposite,) = ctx.saved_tensors
        return gate(crypten, grad_output, opposite)

    return backward


def _abs_forward(crypten: Any) -> Callable[[Any, Any], Any]:
    def forward(ctx: Any, input: Any) -> Any:
        """As CrypTen's: the sign of zero counts as 1."""
        test = negatives(crypten, input)
        ctx.save_for_backward(1 - test.bit * 2)
        return input - test.part * 2

    return forward
