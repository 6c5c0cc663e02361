"""The largest of secret numbers and its place, in a knockout or a league; CrypTen's max, argmax and max-pool.

Knockout: neighbours are compared until one is left, ceil(log2 n) times a test's rounds for n numbers, n - 1
tests, and one product of bits a round but the last for the place.

League: all n (n - 1) / 2 pairs are compared at once. A number's wins say whether it beat all others, which
one round tells (mpc.protocols.lookup), and one product selects it: six rounds by the tree, whatever n is, and
five for the place alone. Of equal numbers the first wins, so the wins of all are 0 to n - 1, each once.

Many numbers play in leagues of up to 16, and their winners on. Which of all ways is taken depends on what a
round is worth in bytes on the line between the parties. All run on tests, table lookups and Beaver's
products, each of which is simulated by uniform openings.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mpc.comparison import (
    Negative,
    bits_of,
    by_key,
    gate,
    is_first,
    negatives,
    run_together,
    sign_test,
    tensor_of,
    words_of,
)
from mpc.cost import Network
from mpc.protocols import lookup
from mpc.protocols.opening import Array
from mpc.protocols.truncate import divided
from mpc.waiting import settle, waiting

LARGEST_LEAGUE = 16
# What a round is worth where the parties did not say: 10 ms at 100 Mbit/s.
_ROUND_BYTES = 125_000
_TEST_ROUNDS = 4
# Bytes sent to each other party: of a test by the tree, and of a number in the table and the product.
_TEST_BYTES, _NUMBER_BYTES = 12.25, 18


class Contest(NamedTuple):
    """The largest entries along the last dimension, which is kept with size 1, and their one-hot places.

    Each is computed when it is called for; the places are without fractional bits.
    """

    best: Callable[[], Any]
    place: Callable[[], Any]


def contest(crypten: Any, x: Any) -> Contest:
    """Of a secret tensor with at least one entry along its last dimension; of equal ones the first wins."""
    entries = x.size(-1)
    size = _group_size(crypten, x.nelement() // max(entries, 1), entries)
    if size == entries:
        return _league(crypten, x)
    if size:
        return _groups(crypten, x, size)
    best, wins = knockout(crypten, x)
    return Contest(lambda: best, lambda: places(crypten, wins, x.size()))


def _group_size(crypten: Any, rows: int, entries: int) -> int:
    """How many entries play a league, 0 for a knockout of all.

    From public sizes and the parties' agreement alone, so that all find the same.
    """
    if not rows or entries < 3 or by_key(crypten, rows * entries // 2):
        return 0
    network = crypten.mpc.get_default_provider().comparing.method
    known = isinstance(network, Network)
    worth = network.latency_s * network.bandwidth_bytes_s if known else _ROUND_BYTES
    return _cheapest(rows, entries, float(worth))[1]


@functools.lru_cache(maxsize=1024)
def _cheapest(rows: int, entries: int, worth: float) -> tuple[float, int]:
    """What the best way costs, a round counting `worth` bytes, and the size of its first leagues."""
    if entries < 2:
        return 0.0, 0
    rounds = _TEST_ROUNDS * math.ceil(math.log2(entries))
    ways = [(rounds * worth + rows * (entries - 1) * _TEST_BYTES, 0)]
    for size in range(3, min(entries, LARGEST_LEAGUE) + 1):
        groups = -(-entries // size)
        octets = rows * groups * (size * (size - 1) // 2 * _TEST_BYTES + size * _NUMBER_BYTES)
        rest, _ = _cheapest(rows, groups, worth)
        ways.append(((_TEST_ROUNDS + 2) * worth + octets + rest, size))
    return min(ways)


def _groups(crypten: Any, x: Any, size: int) -> Contest:
    """Leagues of `size` entries, then a contest of their best."""
    entries = x.size(-1)
    groups = -(-entries // size)
    # What fills the last league are copies of its last entry, before which that one wins.
    filling = [x[..., -1:]] * (groups * size - entries)
    filled = crypten.cat([x, *filling], dim=-1) if filling else x
    leagues = _league(crypten, filled.reshape(*x.size()[:-1], groups, size))
    final = contest(crypten, leagues.best().squeeze(-1))

    def place() -> Any:
        chosen = leagues.place() * final.place().unsqueeze(-1)
        return chosen.reshape(*x.size()[:-1], groups * size)[..., :entries]

    return Contest(final.best, place)


def _league(crypten: Any, x: Any) -> Contest:
    entries = x.size(-1)
    one, other = np.triu_indices(entries, 1)
    test = _pair_tests(crypten, x, one, other)
    # The pair's second number won where the test is 1.
    wins = torch.zeros(x.size(), dtype=torch.long)
    wins.index_add_(-1, torch.from_numpy(other), test)
    wins.index_add_(-1, torch.from_numpy(one), int(is_first(crypten)) - test)
    mask = crypten.mpc.get_default_provider().table(wins.nelement(), 1 << (entries - 1).bit_length())
    (words,) = run_together(crypten, [lookup.equals(words_of(wins), entries - 1, mask)])
    place = bits_of(crypten, tensor_of(words, x.size()))
    return Contest(lambda: (x * place).sum(-1, keepdim=True), lambda: place)


def _pair_tests(crypten: Any, x: Any, one: Array, other: Array) -> torch.Tensor:
    """Shares of 1 where `one` of a pair is below the `other`; a division that x waits for runs beside."""
    own = waiting(x)
    if own is not None and own.divisor > x.encoder.scale:
        settle(crypten, [x])
        own = None
    raw = x.share if own is None else crypten.mpc.get_default_provider().summed(own.whole())
    difference = raw[..., torch.from_numpy(one)] - raw[..., torch.from_numpy(other)]
    protocols: list[Any] = [sign_test(crypten, words_of(difference))]
    if own is not None:
        mask = crypten.mpc.get_default_provider().truncation_mask((raw.nelement(),), own.divisor)
        protocols.append(divided(words_of(raw), own.divisor, mask, is_first(crypten)))
    sign, *quotient = run_together(crypten, protocols)
    if own is not None:
        own.value = tensor_of(quotient[0], raw.size())
    return tensor_of(sign.negative, difference.size())


def knockout(crypten: Any, x: Any) -> tuple[Any, list[Negative]]:
    """The last left along the last dimension, and of each round the tests whether a pair's second won."""
    wins = []
    while x.size(-1) > 1:
        even = x.size(-1) // 2 * 2
        first = x[..., 0:even:2]
        test = negatives(crypten, first - x[..., 1:even:2])
        wins.append(test)
        best = first - test.part
        x = crypten.cat([best, x[..., even:]], dim=-1) if even < x.size(-1) else best
    return x, wins


def places(crypten: Any, wins: list[Negative], shape: Sequence[int]) -> Any:
    """One-hot along the last dimension of `shape`, which played: one product of bits a round but the last."""
    one = bits_of(crypten, torch.full((*shape[:-1], 1), int(is_first(crypten))))
    if not wins:
        return one
    *earlier, final = wins
    return hand_down(crypten, earlier, crypten.cat([one - final.bit, final.bit], dim=-1))


def hand_down(crypten: Any, wins: list[Negative], value: Any) -> Any:
    """`value` of those left after these rounds along the last dimension, each at its place among all who
    played, with 0 at the losers' places: one product a round.
    """
    for second_won in reversed(wins):
        pairs = second_won.bit.size(-1)
        second = gate(crypten, value[..., :pairs], second_won)
        first = value[..., :pairs] - second
        both = crypten.stack([first, second], dim=-1).reshape(*value.size()[:-1], 2 * pairs)
        rest = value[..., pairs:]
        value = crypten.cat([both, rest], dim=-1) if rest.size(-1) else both
    return value


def replace_maximum(crypten: Any) -> None:
    """Put them in the place of CrypTen's."""
    maximum = crypten.common.functions.maximum
    maximum._argmax_helper = _argmax(crypten, maximum._argmax_helper)
    maximum._max_helper_all_tree_reductions = _maximum(crypten)


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
        outcome = contest(crypten, x)
        place = outcome.place()
        place = place.reshape(enc_tensor.size()) if dim is None else place.transpose(dim, -1)
        return (place, _without(outcome.best(), dim)) if _return_max else place

    return argmax_helper


def _without(best: Any, dim: int | None) -> Any:
    return best.reshape([]) if dim is None else best.transpose(dim, -1).squeeze(dim)


def _maximum(crypten: Any) -> Callable[..., Any]:
    def maximum(enc_tensor: Any, dim: int | None = None, method: str = "log_reduction") -> Any:
        if method not in TREES:
            raise ValueError(f"max_method must be 'pairwise' or one of {TREES}, got {method!r}")
        if enc_tensor.dim() == 0:
            return enc_tensor
        return _without(contest(crypten, _last(enc_tensor, dim)).best(), dim)

    return maximum


# CrypTen's ways to the largest entry in a tree; here there is one.
TREES = ("log_reduction", "double_log_reduction", "accelerated_cascade")
