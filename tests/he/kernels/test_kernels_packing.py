"""Packing: dense, the same bytes on every path, and safe on bytes from outside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from he import kernels
from he.kernels import Basis


def test_reference_bytes_are_the_bit_stream() -> None:
    basis = Basis(16, [97], "reference")
    row = np.arange(80, 96, dtype=np.uint64)[None]
    bits = "".join(format(v, "07b")[::-1] for v in row[0])
    expected = bytes(int(bits[i : i + 8][::-1], 2) for i in range(0, len(bits), 8))
    assert kernels.pack(row, basis) == expected


@pytest.mark.parametrize("n", [16, 32, 128, 1024])
def test_there_and_back(path: str, n: int, cases) -> None:
    moduli = [p for bits in (50, 49, 41, 40, 33, 22) for p in cases.primes(n, bits, 1)]
    fast, slow = cases.bases(n, moduli, path, threads=2)
    for x in (*cases.inputs(slow), cases.residues(slow, 3, 2)):
        data = kernels.pack(x, fast)
        assert data == kernels.pack(x, slow)
        assert len(data) == x.size // (n * fast.limbs) * kernels.packed_bytes(fast)
        assert np.array_equal(kernels.unpack(data, fast, x.shape[:-2]), x)
        assert np.array_equal(kernels.unpack(data, slow, x.shape[:-2]), x)


def test_foreign_bytes_are_refused(cases) -> None:
    for path in kernels.paths():
        basis = Basis(128, cases.primes(128, 40, 2), path, 1)
        data = kernels.pack(cases.residues(basis), basis)
        for wrong in (data[:-1], data + b"\0", b""):
            with pytest.raises(ValueError, match=f"got {len(wrong)} bytes, expected {len(data)}"):
                kernels.unpack(wrong, basis)
        with pytest.raises(ValueError, match=f"expected {3 * len(data)}"):
            kernels.unpack(data, basis, (3,))
        with pytest.raises(ValueError, match="lead: got"):
            kernels.unpack(data, basis, (-1, -1))
        high = bytearray(data)
        high[len(data) // 2 : len(data) // 2 + 5] = b"\xff" * 5
        words = f"a residue is {(1 << 40) - 1}, expected less than its modulus {basis.moduli[1]}"
        with pytest.raises(ValueError, match=words):
            kernels.unpack(bytes(high), basis)
        assert kernels.unpack(b"", basis, (0,)).shape == (0, 2, 128)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=2 * 17, max_size=2 * 17))
def test_any_bytes_give_residues_or_an_error(data: bytes) -> None:
    for path in kernels.paths():
        basis = Basis(16, [65537], path, 1)
        try:
            x = kernels.unpack(data, basis)
        except ValueError:
            continue
        assert (x < 65537).all() and kernels.pack(x, basis) == data
