"""Residues as a dense stream of bits: a residue mod q takes as many bits as q has, not 64."""

from collections.abc import Sequence

import numpy as np

from he.kernels.reference.ring import U64


def packed_bytes(n: int, moduli: Sequence[int]) -> int:
    """Bytes of one polynomial of degree below n, a multiple of 8."""
    return sum(n // 8 * q.bit_length() for q in moduli)


def pack(x: U64, moduli: Sequence[int]) -> bytes:
    """(..., limbs, N) -> row after row, entry t of a row in bits [t b, (t + 1) b) of its part.

    b is the number of bits of q; bits and bytes are in little-endian order.
    """
    n = x.shape[-1]
    rows = zip(x.reshape(-1, n).tolist(), list(moduli) * (x.size // (n * len(moduli))), strict=True)
    return b"".join(_pack_row(row, q.bit_length()) for row, q in rows)


def _pack_row(row: list[int], bits: int) -> bytes:
    return sum(v << (t * bits) for t, v in enumerate(row)).to_bytes(len(row) * bits // 8, "little")


def unpack(data: bytes, n: int, moduli: Sequence[int], lead: tuple[int, ...]) -> U64:
    """The inverse of `pack`, shape (*lead, limbs, n); a ValueError where an entry reaches its modulus."""
    rows, at = [], 0
    for q in list(moduli) * int(np.prod(lead, dtype=int)):
        bits = q.bit_length()
        part = int.from_bytes(data[at : at + n * bits // 8], "little")
        rows.append([part >> (t * bits) & ((1 << bits) - 1) for t in range(n)])
        at += n * bits // 8
        if max(rows[-1]) >= q:
            raise ValueError(f"data: a residue is {max(rows[-1])}, expected less than its modulus {q}")
    return np.array(rows, dtype=np.uint64).reshape(*lead, len(moduli), n)
