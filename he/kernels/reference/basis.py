"""Between residue bases: fast base conversion with rounding, and division by the product of some moduli."""

from collections.abc import Sequence
from math import prod

import numpy as np

from he.kernels.reference.ring import U64, column, intt, ntt


def convert(x: U64, source: Sequence[int], target: Sequence[int]) -> U64:
    """Base conversion of coefficients, centred: residues of x mod q_i to residues of x mod p_j.

    Shape (..., len(source), N) -> (..., len(target), N). With Q the product of the q_i,

        y_i = x_i (Q/q_i)^-1 mod q_i,   v = floor(0.5 + sum_i y_i (1/q_i)),   out_j = sum_i y_i (Q/q_i) - v Q
        mod p_j

    (Halevi, Polyakov and Shoup, ePrint 2018/117, section 2.2). v is computed in IEEE doubles, the sum taken
    from 0.5 upwards in the order of i, each product and each sum rounded to nearest, no fused operations: so
    v, and with it every output bit, is the same everywhere. out is x or x -+ Q in the centred range (-Q/2,
    Q/2], up to the rounding of v at its ends.
    """
    q = prod(source)
    hat = [q // s for s in source]
    inverse = column([pow(h, -1, s) for h, s in zip(hat, source, strict=True)])
    y = x.astype(object) * inverse % column(source)
    total = np.full((*x.shape[:-2], x.shape[-1]), 0.5)
    for i, s in enumerate(source):
        total = total + y[..., i, :].astype(np.float64) * (1.0 / s)
    v = np.floor(total).astype(np.int64).astype(object)
    value = (y * column(hat)).sum(axis=-2) - v * q
    return np.stack([(value % p).astype(np.uint64) for p in target], axis=-2)


def mod_down(x: U64, moduli: Sequence[int], drop: int) -> U64:
    """Divide by P, the product of the last `drop` moduli, rounding to nearest. NTT values in and out.

    Shape (..., limbs, N) -> (..., limbs - drop, N): out_i = (x_i - c_i) P^-1 mod q_i with c = convert(x mod
    P). With drop = 1 this is the rescaling of CKKS, with the special primes the last step of a key switch.
    """
    keep, gone = moduli[:-drop], moduli[-drop:]
    c = ntt(convert(intt(x[..., -drop:, :], gone), gone, keep), keep)
    inverse = column([pow(prod(gone), -1, q) for q in keep])
    return np.asarray((x[..., :-drop, :].astype(object) - c) * inverse % column(keep)).astype(np.uint64)
