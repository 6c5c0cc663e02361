"""A shared number where a shared bit is one, else 0: one round of 65 bits, with the division it waits for.

The bit s is shared bitwise, as a test by the tree leaves it (mpc.protocols.compare). For a dealt mask r and
a dealt bit b, shared bitwise and additively, the parties open c = x + r and f = s xor b. The product of x,
which is c - r, and s, which is f xor b, is linear in what is dealt: b and r b. If x is to be divided by d,
then floor(r / d), r's top bit and the products of both with b are dealt instead, and the product is that of
the quotient, as in mpc.protocols.compare. Beaver's product opens two words, and leaves a division for another
round.

Security, semi-honest, against all parties but one, and the dealer sees nothing: c and f are the sum, and the
exclusive or, of a secret and a dealt mask that is uniform, independent of all else and used once.
"""

from __future__ import annotations

from typing import NamedTuple

from mpc.protocols.bits import from_wire, to_numbers, to_wire
from mpc.protocols.compare import QuotientMask, derive_quotient, select, select_quotient
from mpc.protocols.opening import Array, Part, Protocol


class GateMask(NamedTuple):
    """One party's shares of what n products use up, uint64.

    r: uniform, (n,), additive. plane: the bits b, (1, plane words), bitwise. bit, masked: of b and r b, (n,),
    additive.
    """

    r: Array
    plane: Array
    bit: Array
    masked: Array


class QuotientGateMask(NamedTuple):
    """As GateMask, with the parts of a QuotientMask in place of r b."""

    r: Array
    plane: Array
    bit: Array
    quotient: Array
    top: Array
    masked_quotient: Array
    masked_top: Array


def derive(r: Array, plane: Array, divisor: int) -> list[Array]:
    """The dealer's part, in the clear: all but r and plane; a divisor of 0 stands for none."""
    bit = to_numbers(plane[0], r.size)
    return [bit, *derive_quotient(r, bit, divisor)] if divisor else [bit, r * bit]


def gated(x: Array, plane: Array, dealt: GateMask, first: bool) -> Protocol[Array]:
    """This party's share of x where the bit is one, else 0: any int64 as uint64, (n,).

    `plane` is its bitwise share of the bits, (1, plane words); `first` is true for one party.
    """
    c, flip = yield from _open(x, plane, dealt)
    return select(x, c, flip, dealt.bit, dealt.masked, first).selected


def gated_quotient(
    x: Array, divisor: int, plane: Array, dealt: QuotientGateMask, first: bool
) -> Protocol[Array]:
    """As `gated`, of x / divisor for x in [-2^62, 2^62), within one unit, or two as in `truncate`."""
    c, flip = yield from _open(x, plane, dealt)
    sign, _ = select_quotient(c, flip, divisor, dealt.bit, QuotientMask(*dealt[3:]), first)
    return sign.selected


def _open(x: Array, plane: Array, dealt: GateMask | QuotientGateMask) -> Protocol[tuple[Array, Array]]:
    """c, and f as numbers."""
    c, octets = yield [Part(x + dealt.r), Part(to_wire(plane ^ dealt.plane, x.size))]
    return c, to_numbers(from_wire(octets, 1, x.size)[0], x.size)
