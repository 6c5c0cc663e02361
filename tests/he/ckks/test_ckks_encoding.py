import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from he.ckks import encoding, noise
from he.ckks.cipher import Plaintext
from he.ckks.ring import Ring

SCALE = 2.0**40


def bound(ring: Ring, scale: float = SCALE) -> float:
    """Rounding to integers."""
    return noise.TAIL * noise.slot_deviation(ring.params, noise.encoding(ring.params), scale)


@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(1, 512), st.booleans())
def test_decoding_gives_the_values_back_repeated(
    ring: Ring, seed: int, level: int, count: int, real: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, count) + (0 if real else 1j * rng.uniform(-1, 1, count))
    got = encoding.decode(ring, encoding.encode(ring, values, level, SCALE))
    assert np.abs(got - np.resize(values, 512)).max() < bound(ring)


def test_the_slots_are_the_values_at_the_roots_of_unity(ring: Ring) -> None:
    """X itself has slot j at zeta^(5^j)."""
    from he import kernels

    coefficients = np.zeros((4, 1024), dtype=np.uint64)
    coefficients[:, 1] = 2**40
    poly = kernels.ntt(coefficients, ring.basis(3))
    exponents = np.array([pow(5, j, 2048) for j in range(512)])
    expected = np.exp(1j * np.pi * exponents / 1024)
    got = encoding.decode(ring, Plaintext(poly, 3, SCALE))  # type: ignore[arg-type]
    assert np.abs(got - expected).max() < 2.0**-45  # ten levels of an FFT in float64


def test_products_of_polynomials_are_products_of_slots(ring: Ring) -> None:
    from he import kernels

    x, y = np.random.default_rng(1).uniform(-1, 1, (2, 512))
    a, b = (encoding.encode(ring, v, 3, SCALE) for v in (x, y))
    product = Plaintext(kernels.mul(a.poly, b.poly, ring.basis(3)), 3, SCALE**2)  # type: ignore[arg-type]
    assert np.abs(encoding.decode(ring, product) - x * y).max() < 2 * bound(ring)


def test_values_that_cannot_be_encoded_are_refused(ring: Ring) -> None:
    for bad, message in [
        (np.ones(513), r"shape \(513,\), expected \(d,\) with 1 <= d <= 512"),
        (np.ones((2, 2)), r"shape \(2, 2\), expected"),
        ([], r"shape \(0,\), expected"),
        ([np.nan], "NaN or infinity"),
        ([np.inf], "NaN or infinity"),
        ([2.0**10], r"values times scale reach 1.13e\+15, expected less than 2\^49"),
    ]:
        with pytest.raises(ValueError, match=message):
            encoding.encode(ring, bad, 0, SCALE)


def test_only_the_residues_that_matter_are_read(ring: Ring) -> None:
    assert encoding.limbs_to_read(ring, 3, 2.0**40) == 3  # 50 + 40 + 40 > 40 + 61
    assert encoding.limbs_to_read(ring, 3, 2.0**80) == 4
    assert encoding.limbs_to_read(ring, 0, 2.0**40) == 1
    large = np.array([2.0**60, -(2.0**60)])
    got = encoding.decode(ring, encoding.encode(ring, large, 3, SCALE))
    np.testing.assert_allclose(got.real[:2], large, rtol=2**-48)


def test_extended_plaintexts_agree_with_plain_ones(ring: Ring) -> None:
    a = encoding.encode(ring, [1.5, -2.5], 1, SCALE)
    b = encoding.encode_extended(ring, [1.5, -2.5], 1, SCALE)
    np.testing.assert_array_equal(a.poly, b.poly[:2])
    assert b.poly.shape == (4, 1024)
