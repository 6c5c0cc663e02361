"""Is a shared number negative: one round and 64 bits, with keys from a dealer; two parties.

The parties open c = x + r for a dealt mask r, as in mpc.protocols.compare: the sign of x = c - r mod 2^64 is
the exclusive or of c's top bit and b; b is r's top bit m, exclusive or whether the 63 low bits of c are less
than those of r. That comparison is a distributed comparison function (mpc.protocols.dcf) at the public c, so
nothing more is sent (as the signed comparison of Boyle, Chandran, Gilboa, Gupta, Ishai, Kumar, Rathee,
ePrint 2020/1392, whose other number is zero here). Where c is less it gives 1 - 2 m, which is b - m there,
and r (1 - 2 m) for r b, from which the product of x and the result follows: ReLU takes no other round.

Cost to one party of n tests: 1 round, 8 n bytes sent and as many received. The dealer sends 2032 n + 16 bytes
to both, and 16 n more to the first.

Security, semi-honest, against either party, and the dealer sees nothing: apart from its key a party sees its
share of r and c = x + r, which is uniform since the other's share of r is, and is used once; a simulator
draws it at random. The key is simulated without r (see mpc.protocols.dcf), so c stays uniform beside it. The
results are fresh shares: the second party's part of m and r m is drawn at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mpc.protocols import dcf
from mpc.protocols.compare import Sign, select
from mpc.protocols.opening import Array, Part, Protocol

# Tests that one tuple serves: two of 8 MB may be on order ahead (mpc.dealer.schedule), and what goes down the
# trees together stays in the processor's caches.
TUPLE_TESTS = 4000
_LOW = np.uint64((1 << dcf.LEVELS) - 1)
_TOP = np.uint64(dcf.LEVELS)
_ONE = np.uint64(1)


class SignKey(NamedTuple):
    """What n tests use up at one party, all uint64.

    r: its additive share, (n,), of uniform words. seed: its own, (2, n). offset: its additive shares, (2, n),
    of r's top bit m and of r m. public: what both parties have.
    """

    r: Array
    seed: Array
    offset: Array
    public: dcf.Corrections


def tuples_for(count: int) -> list[int]:
    """How many tests each of the tuples for `count` of them serves."""
    return [min(TUPLE_TESTS, count - start) for start in range(0, count, TUPLE_TESTS)]


def derive(r: Array, seeds: Array, cipher: Array) -> tuple[Array, dcf.Corrections]:
    """The dealer's part: `offset` in the clear and `public`; seeds are both parties', (2, 2, n)."""
    top = r >> _TOP
    side = _ONE - (top << _ONE)
    public = dcf.derive(r & _LOW, np.stack([side, r * side]), seeds, cipher)
    return np.stack([top, r * top]), public


def negative(x: Array, dealt: Sequence[SignKey], first: bool) -> Protocol[Sign]:
    """Sign of each of n numbers, from this party's shares of them: any int64 as uint64, shape (n,).

    `dealt` are keys for n tests together. Exact for every word of the ring, also for -2^63. `first` is true
    for the first party, false for the second.
    """
    (c,) = yield [Part(x + np.concatenate([key.r for key in dealt]))]
    ends = np.cumsum([key.r.size for key in dealt])[:-1]
    pieces = zip(dealt, np.split(c, ends), strict=True)
    bit, masked = np.concatenate([_evaluate(key, piece, first) for key, piece in pieces], axis=1)
    return select(x, c, c >> _TOP, bit, masked, first)


def _evaluate(key: SignKey, c: Array, first: bool) -> Array:
    """Shares of b and r b, (2, n)."""
    return key.offset + dcf.evaluate(key.public, key.seed, c & _LOW, 0 if first else 1)
