"""Three parties without a helper: replicated shares, their products, exact truncation. One corrupted party.

A number x is e + a0 + a1 mod 2^64, and each of the three parts is known to exactly two parties: e to parties
0 and 1, a0 to 0 and 2, a1 to 1 and 2 (replicated sharing: Araki, Furukawa, Lindell, Nof, Ohara, ePrint
2016/768, with the parts so named that two of them can be drawn from keys). Between products x is shared as
x0 + x1 at parties 0 and 1, and party 2 holds zero. To make it replicated, a0 and a1 are drawn from keys that
the pairs have in common, and parties 0 and 1 tell each other x0 - a0 and x1 - a1, whose sum is e: one word
from each. For a bilinear f, of x and of y = d + b0 + b1, the products of the parts each party knows,

    party 0:  f(e, d + b0) + f(a0, d)      party 1:  f(e, b1) + f(a1, d)      party 2:  f(a0 + a1, b0 + b1),

add up to f(x, y). Party 2's is a function of keys alone; it hands it to party 0 less a word that it shares
with party 1 (`hand_over`): one word from each party for one product, and party 2 waits for nobody.

A product of fixed-point numbers is truncated next, and party 2 keeps its share z2 then. Parties 0 and 1 open
c = z0 + z1 + r0 + r1 with r0 and r1 drawn as a0 and a1 are. That is z + r for r = r0 + r1 - z2, which party 2
knows: it deals the shares of floor(r / d) and of r's top bit to the two as the helper does in
mpc.protocols.truncate, which is right always. The top bit is multiplied by 2^64 / d there, so that for d =
2^f the low f bits of its shares are enough. A truncated product thus takes
two rounds, from each of parties 0 and 1 a word for it and one for each factor that has not been in a product
before (mpc.kept), and 10 bytes from party 2 (d = 2^16).

All else is done by parties 0 and 1 with tuples of party 2 (the third party as dealer: Wagh, Gupta, Chandran,
"SecureNN", ePrint 2018/442; Wagh and others, "Falcon", arXiv 2004.02229), by the protocols for two parties
and a helper. A test by the tree takes four rounds so, and 12.25 bytes from each of the two. On replicated
bits the shares would have to be added up by a circuit: a round for each of its 7 levels or more, 24 bytes
from each of three for its 192 conjunctions, and more for the way there and back.

Security, semi-honest, any one of the three. Party 0 sees e, the other factors' e, c, and what party 2 deals.
Each e and c has a part that is uniform and new, drawn by parties 1 and 2 from their key (a1, r1); each dealt
word is covered by another one of that key. So a simulator draws all of them at random, with the shares of
the outputs made to fit. Party 1 is party 0 with the key of parties 0 and 2. Party 2 sees no opening, and gets
messages only where a value is opened to it as an output, and then as two shares that parties 0 and 1 have
covered by a word of their own key: these are uniform but for their sum, which is the output. Its inputs reach
party 0 covered by a word that only parties 1 and 2 know. Two parties together see everything.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from mpc.protocols.product import Factor, Product, multiply
from mpc.protocols.truncate import TruncationMask, unsigned_quotient

THIRD = 2


def product(f: Product, x: Factor, y: Factor, rank: int) -> torch.Tensor:
    """This party's additive share of f(x, y), int64; nothing is sent.

    A factor's `opened` is e, and its `mask` the party's part of a: a0, a1, or at the third party a0 + a1;
    what is `opened` there is not looked at.
    """
    if rank == THIRD:
        return f(x.mask, y.mask)
    # Nothing was dealt: the product of the masks stays the third party's share.
    return multiply(f, x, y, torch.zeros((), dtype=torch.long), rank == 0)


class Deal(NamedTuple):
    """What the third party sends party 0, int64: its shares of the quotient and of the top bit."""

    quotient: torch.Tensor
    top_bit: torch.Tensor


def deal_truncation(
    r: torch.Tensor, own: torch.Tensor, divisor: int, second: tuple[torch.Tensor, torch.Tensor]
) -> Deal:
    """The third party's part of a truncation of a value of which its share is `own` (int64).

    `r` is r0 + r1; `second` are the shares that party 1 draws of the quotient and the top bit.
    """
    mask = r - own
    quotient, top_bit = unsigned_quotient(mask, divisor), (mask < 0).long()
    return Deal(quotient - second[0], top_bit - second[1])


def third_mask(own: torch.Tensor) -> TruncationMask:
    """The third party's shares of the mask: what it adds to the opening is nothing, and nothing is left."""
    nothing = torch.zeros_like(own)
    return TruncationMask(-own, nothing, nothing)


def to_octets(deal: Deal, divisor: int) -> torch.Tensor:
    """The message to party 0: for all entries eight bytes of the quotient, then 2, 4 or 8 of the top bit."""
    parts = (deal.quotient.numpy(), deal.top_bit.numpy().astype(_width(divisor)))
    octets = [np.ascontiguousarray(part).reshape(-1).view(np.uint8) for part in parts]
    return torch.from_numpy(np.concatenate(octets))


def octets_for(count: int, divisor: int) -> int:
    """How long that message is for `count` entries."""
    return count * (8 + _width(divisor).itemsize)


def from_octets(octets: torch.Tensor, size: torch.Size, divisor: int) -> Deal:
    """What `to_octets` was given, but for bits of the top bit's share that do not matter."""
    count = size.numel()
    quotient = octets[: 8 * count].numpy().view(np.int64)
    top_bit = octets[8 * count :].numpy().view(_width(divisor)).astype(np.int64)
    return Deal(torch.from_numpy(quotient).reshape(size), torch.from_numpy(top_bit).reshape(size))


def _width(divisor: int) -> np.dtype[Any]:
    """Of a share of the top bit, which is multiplied by floor(2^64 / divisor) mod 2^64."""
    if divisor & (divisor - 1) == 0:
        for kind in (np.uint16, np.uint32):
            if divisor <= 1 << 8 * np.dtype(kind).itemsize:
                return np.dtype(kind)
    return np.dtype(np.int64)
