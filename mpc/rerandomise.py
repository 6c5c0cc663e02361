"""Which shares are fresh when they are sent, and fresh ones for the products where CrypTen's are not.

To open a value every party sends its share to every other, so that among three parties one sees two shares
where only their sum is the result. They tell it nothing else as long as each party's share is the same
public linear map of fresh sharings, uniform for everybody who holds none of the keys. A simulator then draws
one honest party's part at random and gives the other the rest: for a linear map L, L(s) with s uniform does
not depend on the secret, and the other share is the result minus L(s) and the own share. Inputs, sharings of
zero and everything dealt are fresh. Sums, products with public numbers, moves of entries, and, with opened
values as public coefficients, Beaver's products, bitwise conjunctions, conversions of bits and divisions are
linear maps of these, for additive shares over Z_(2^64) and for bitwise ones over GF(2). Conversions to bits
share each party's own share anew. Counting wraps is not linear, and hides its counts behind a dealt sharing.

The products of CrypTen's three-party protocol (`cfg.mpc.protocol = "replicated"`) are not linear: z_i =
x_i y_i + x_i y_(i-1) + x_(i-1) y_i goes to a neighbour that knows x_i and y_i, and gets an equation for the
shares it does not know. ABY3 (Mohassel, Rindal, ePrint 2018/403, section 3.2) adds a sharing of zero, which
CrypTen left out. It is added here, before anything is sent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_PRODUCTS = ("mul", "matmul", "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "square")


def replace_replicated(crypten: Any) -> None:
    """Add a sharing of zero to every product of the replicated protocol."""
    replicated = crypten.mpc.primitives.replicated
    for name in _PRODUCTS:
        setattr(replicated, name, _additive(getattr(replicated, name)))
    replicated.AND = _bitwise(replicated.AND)


def _additive(product: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(product)
    def fresh(*factors: Any, **options: Any) -> Any:
        result = product(*factors, **options)
        result.share = result.share + result.PRZS(result.share.size()).share
        return result

    return fresh


def _bitwise(product: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    @functools.wraps(product)
    def fresh(x: Any, y: Any) -> Any:
        result = product(x, y)
        result.share = result.share ^ result.PRZS(result.share.size()).share
        return result

    return fresh
