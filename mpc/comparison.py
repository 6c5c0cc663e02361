"""CrypTen's comparisons and what is built on them, by `mpc.protocols.compare` or `mpc.protocols.compare_dcf`.

CrypTen shares every party's share bit by bit and adds them up in a circuit: 8 rounds and 432 bytes a test
between two parties, sent and received, against 4 rounds and 24.5 bytes here, or 1 round and 16 bytes where
the parties agreed on keys (mpc.choice), for which the dealer sends 2 kB a test. ReLU, absolute value and the
larger of two numbers cost nothing beyond the test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mpc.protocols import compare, compare_dcf
from mpc.protocols.compare import Sign
from mpc.protocols.opening import Array, Protocol, Result, together


class Negative(NamedTuple):
    """Secret tensors: `bit` is 1 where the argument is negative, `part` the argument there; else 0."""

    bit: Any
    part: Any


def negatives(crypten: Any, x: Any) -> Negative:
    """Of an additively shared tensor: four rounds and 12.25 bytes an entry to each other, or one and 8."""
    count = x.share.nelement()
    if not count:
        return Negative(_bits(crypten, x.share), x.clone())
    words = x.share.detach().contiguous().numpy().view(np.uint64).reshape(-1)
    (sign,) = run_together(crypten, [_sign(crypten, words)])
    bit, part = (torch.from_numpy(own.view(np.int64)).reshape(x.share.shape) for own in sign)
    selected = x.clone()
    selected.share = part
    return Negative(_bits(crypten, bit), selected)


def _sign(crypten: Any, words: Array) -> Protocol[Sign]:
    first = crypten.communicator.get().get_rank() == 0
    provider = crypten.mpc.get_default_provider()
    if provider.comparing.by_key(words.size):
        return compare_dcf.negative(words, provider.sign_keys(words.size), first)
    return compare.negative(words, provider.comparison(words.size), first)


def run_together(crypten: Any, protocols: Sequence[Protocol[Result]]) -> list[Result]:
    """Run protocols between the computing parties, their openings in one message a round."""
    communicator = crypten.communicator.get()

    def gather(octets: Array) -> list[Array]:
        return [part.numpy() for part in communicator.all_gather(torch.from_numpy(octets))]

    return together(protocols, gather)


def _bits(crypten: Any, share: torch.Tensor) -> Any:
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
    gradients.AutogradAbs.forward = staticmethod(_abs_forward(crypten))
    maximum = crypten.common.functions.maximum
    maximum._argmax_helper = _argmax(crypten, maximum._argmax_helper)
    maximum._max_helper_all_tree_reductions = _maximum(crypten)


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
        ctx.save_for_backward(opposite.bit)
        return -opposite.part

    return forward


def _abs_forward(crypten: Any) -> Callable[[Any, Any], Any]:
    def forward(ctx: Any, input: Any) -> Any:
        """As CrypTen's: the sign of zero counts as 1."""
        test = negatives(crypten, input)
        ctx.save_for_backward(1 - test.bit * 2)
        return input - test.part * 2

    return forward


def play(crypten: Any, x: Any) -> tuple[Any, list[Any]]:
    """Neighbours along the last dimension of x play until one is left: it, and who won in each round.

    x has at least one entry there. In each round 1 marks the pairs whose second was larger; of equal ones the
    first wins. ceil(log2(entries)) times four rounds of messages, one test a pair.
    """
    wins = []
    while x.size(-1) > 1:
        even = x.size(-1) // 2 * 2
        first = x[..., 0:even:2]
        test = negatives(crypten, first - x[..., 1:even:2])
        wins.append(test.bit)
        best = first - test.part
        x = crypten.cat([best, x[..., even:]], dim=-1) if even < x.size(-1) else best
    return x, wins


def places(crypten: Any, wins: list[Any], shape: Sequence[int]) -> Any:
    """One-hot along the last dimension of `shape`, which played: one product of bits a round but the last."""
    one = crypten.mpc.MPCTensor.from_shares(_ones(crypten, (*shape[:-1], 1)), precision=0)
    if not wins:
        return one
    *earlier, final = wins
    return hand_down(crypten, earlier, crypten.cat([one - final, final], dim=-1))


def hand_down(crypten: Any, wins: list[Any], value: Any) -> Any:
    """`value` of those left after these rounds along the last dimension, each at its place among all who
    played, with 0 at the losers' places: one product a round.
    """
    for second_wins in reversed(wins):
        pairs = second_wins.size(-1)
        second = value[..., :pairs] * second_wins
        first = value[..., :pairs] - second
        both = crypten.stack([first, second], dim=-1).reshape(*value.size()[:-1], 2 * pairs)
        rest = value[..., pairs:]
        value = crypten.cat([both, rest], dim=-1) if rest.size(-1) else both
    return value


def _ones(crypten: Any, size: Sequence[int]) -> torch.Tensor:
    first = crypten.communicator.get().get_rank() == 0
    return torch.full(tuple(size), int(first), dtype=torch.long)


def _last(x: Any, dim: int | None) -> Any:
    return x.reshape(-1) if dim is None else x.transpose(dim, -1)


def _argmax(crypten: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def argmax_helper(
        enc_tensor: Any,
        dim: int | None = None,
        one_hot: bool = True,
        method: str = "pairwise",
        _return_max: bool = False,
    ) -> Any:
        """One-hot of the first largest entry, and the entry; "pairwise" stays CrypTen's in fewer rounds."""
        if enc_tensor.dim() == 0 or method not in TREES:
            return original(enc_tensor, dim, one_hot, method, _return_max)
        x = _last(enc_tensor, dim)
        best, wins = play(crypten, x)
        place = places(crypten, wins, x.size())
        place = place.reshape(enc_tensor.size()) if dim is None else place.transpose(dim, -1)
        return (place, _without(best, dim)) if _return_max else place

    return argmax_helper


def _without(best: Any, dim: int | None) -> Any:
    return best.reshape([]) if dim is None else best.transpose(dim, -1).squeeze(dim)


def _maximum(crypten: Any) -> Callable[..., Any]:
    def maximum(enc_tensor: Any, dim: int | None = None, method: str = "log_reduction") -> Any:
        if method not in TREES:
            raise ValueError(f"max_method must be 'pairwise' or one of {TREES}, got {method!r}")
        if enc_tensor.dim() == 0:
            return enc_tensor
        return _without(play(crypten, _last(enc_tensor, dim))[0], dim)

    return maximum


# CrypTen's ways to the largest entry in a tree; here there is one.
TREES = ("log_reduction", "double_log_reduction", "accelerated_cascade")
