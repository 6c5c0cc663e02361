from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from he.ckks import encoding, encrypt, noise, poly
from he.ckks.keys import EvaluationKeys, SecretKey
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring

PARAMS = CkksParams.from_spec(CkksSpec(log_n=10, depth=6, special=2, insecure=True))
SCALE = PARAMS.scale
CLEAR = {"monomial": np.polynomial.polynomial.polyval, "chebyshev": np.polynomial.chebyshev.chebval}


@pytest.fixture(scope="module")
def setting() -> Any:
    ring = Ring(PARAMS, threads=1)
    secret = SecretKey.generate(ring)
    values = np.random.default_rng(0).uniform(-1, 1, 512)
    x = encrypt.encrypt(secret, encoding.encode(ring, values, 6, SCALE))
    return secret, EvaluationKeys.generate(secret), x, values


def bound(c: Any) -> float:
    """Each B_i multiplies an error by at most |B_i'| <= i^2 on [-1, 1] (Markov); products add one more."""
    step = noise.fresh(PARAMS) + noise.key_switch(PARAMS, 6) + 3 * noise.rounding(PARAMS)
    growth = sum(abs(v) * (1 + i * i) for i, v in enumerate(c))
    return noise.TAIL * noise.slot_deviation(PARAMS, step, SCALE) * growth


@pytest.mark.parametrize("basis", ["monomial", "chebyshev"])
@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 7, 8, 13, 31, 63])
def test_polynomials_come_out_at_the_same_scale_and_in_fewest_levels(
    degree: int, basis: poly.Basis, setting: Any
) -> None:
    secret, keys, x, values = setting
    c = np.random.default_rng(degree).uniform(-1, 1, degree + 1)
    y = poly.evaluate_polynomial(keys, x, c, basis)
    assert y.scale == x.scale
    assert x.level - y.level == int(np.ceil(np.log2(degree + 1))) == poly.depth(degree)
    assert np.abs(encrypt.decrypt(secret, y).real - CLEAR[basis](values, c)).max() < bound(c)


def test_odd_polynomials_and_trailing_zeros(setting: Any) -> None:
    secret, keys, x, values = setting
    c = np.zeros(20)
    c[1:16:2] = 0.5
    y = poly.evaluate_polynomial(keys, x, c, "chebyshev")
    assert x.level - y.level == 4
    assert np.abs(encrypt.decrypt(secret, y).real - CLEAR["chebyshev"](values, c)).max() < bound(c)


def test_powers_alone(setting: Any) -> None:
    secret, keys, x, values = setting
    for i in (2, 4, 16):
        c = np.eye(i + 1)[i]
        y = poly.evaluate_polynomial(keys, x, c)
        assert np.abs(encrypt.decrypt(secret, y).real - values**i).max() < bound(c)


@given(st.integers(1, 40), st.sampled_from(["monomial", "chebyshev"]), st.integers(0, 2**32 - 1))
def test_split_is_a_division(degree: int, basis: poly.Basis, seed: int) -> None:
    c = np.random.default_rng(seed).uniform(-1, 1, degree + 1)
    m = 1 << (degree.bit_length() - 1)
    q, r = poly.split(c, m, basis)
    x = np.linspace(-1, 1, 9)
    whole = CLEAR[basis](x, q) * CLEAR[basis](x, np.eye(m + 1)[m]) + CLEAR[basis](x, r)
    np.testing.assert_allclose(whole, CLEAR[basis](x, c), rtol=0, atol=1e-12)
    assert len(r) <= m


def test_what_cannot_be_evaluated_is_refused(setting: Any) -> None:
    _, keys, x, _ = setting
    with pytest.raises(ValueError, match="degree 0, expected at least 1"):
        poly.evaluate_polynomial(keys, x, [3.0, 0.0])
    with pytest.raises(ValueError, match="NaN or infinity"):
        poly.evaluate_polynomial(keys, x, [3.0, np.nan])
    with pytest.raises(ValueError, match="level is 6, expected at least 7 for degree 64"):
        poly.evaluate_polynomial(keys, x, np.ones(65))
    with pytest.raises(ValueError, match="basis is 'fourier', expected"):
        poly.evaluate_polynomial(keys, x, [1.0, 1.0], "fourier")  # type: ignore[arg-type]
