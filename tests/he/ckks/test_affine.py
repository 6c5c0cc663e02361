from typing import Any

import numpy as np
import pytest

from he.ckks import encrypt, evaluate, noise
from he.ckks.affine import affine
from he.ckks.cipher import Ciphertext
from he.ckks.keys import SecretKey
from he.ckks.ring import Ring
from he.kernels import IntegerMatrix

SCALE = 2.0**40
MATRIX = IntegerMatrix(np.array([0, 2, 3]), np.array([0, 1, 1]), np.array([1 << 38, -(3 << 38), 1 << 40]), 2)
BIAS = np.array([-0.5, 0.125])


def test_rows_are_weighted_sums(secret: SecretKey, ring: Ring, pair: Any, values: Any) -> None:
    out = affine(ring, pair, MATRIX, BIAS, 2.0**80)
    expected = [values[0] / 4 - 3 / 4 * values[1] - 0.5, values[1] + 0.125]
    p = ring.params
    fresh = noise.slot_deviation(p, noise.fresh(p) + noise.encoding(p), SCALE)
    bound = noise.TAIL * (fresh + noise.slot_deviation(p, noise.rounding(p), out[0].scale))
    for x, values_of_row in zip(out, expected, strict=True):
        assert x.level == 2
        assert x.scale == 2.0**80 / p.moduli[3]
        assert np.abs(encrypt.decrypt(secret, x).real - values_of_row).max() < bound


def test_it_gives_the_bits_of_the_scalar_products_one_by_one(ring: Ring, pair: Any) -> None:
    x, y = pair
    slow = evaluate.add(
        ring, evaluate.multiply_scalar(ring, x, 0.25, SCALE), evaluate.multiply_scalar(ring, y, -0.75, SCALE)
    )
    slow = evaluate.add_scalar(ring, evaluate.rescale(ring, slow), -0.5)
    np.testing.assert_array_equal(affine(ring, pair, MATRIX, BIAS, 2.0**80)[0].data, slow.data)


def test_scales_may_differ_and_levels_may_not(secret: SecretKey, ring: Ring, pair: Any, values: Any) -> None:
    x, y = pair
    half = Ciphertext(y.data, y.level, SCALE / 2)  # the same bits read as twice the values
    out = affine(ring, [x, half], MATRIX, BIAS, 2.0**80)
    assert np.abs(encrypt.decrypt(secret, out[0]).real - (values[0] - 3 * values[1]) / 4 + 0.5).max() < 2**-20
    with pytest.raises(ValueError, match="ciphertext 1 has level 2, expected 3"):
        affine(ring, [x, evaluate.drop(ring, y, 2)], MATRIX, BIAS, 2.0**80)
    with pytest.raises(ValueError, match="level is 0, expected at least 1"):
        affine(ring, [evaluate.drop(ring, x, 0), evaluate.drop(ring, y, 0)], MATRIX, BIAS, 2.0**80)
