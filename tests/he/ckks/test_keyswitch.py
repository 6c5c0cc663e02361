from typing import Any

import numpy as np
import pytest

from he.ckks import encoding, encrypt, evaluate, keyswitch, noise
from he.ckks.keys import EvaluationKeys, SecretKey
from he.ckks.params import CkksParams
from he.ckks.ring import Ring


def bound(params: CkksParams, level: int) -> float:
    """A fresh ciphertext after one key switch."""
    variance = noise.fresh(params) + noise.encoding(params) + noise.key_switch(params, level)
    return noise.TAIL * noise.slot_deviation(params, variance + noise.rounding(params), 2.0**40)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("steps", [1, 8, 511, -1])
def test_rotation_is_exact_at_every_level(
    level: int, steps: int, keys: EvaluationKeys, secret: SecretKey, pair: Any, values: Any
) -> None:
    x = evaluate.drop(keys.ring, pair[0], level)
    got = encrypt.decrypt(secret, keyswitch.rotate(keys, x, steps)).real
    assert np.abs(got - np.roll(values[0], -steps)).max() < bound(keys.ring.params, level)


def test_hoisted_rotations_are_the_single_ones(keys: EvaluationKeys, pair: Any) -> None:
    many = keyswitch.rotate_many(keys, pair[0], [1, 0, 8, 3])
    for steps, one in zip([1, 0, 8, 3], many, strict=True):
        np.testing.assert_array_equal(one.data, keyswitch.rotate(keys, pair[0], steps).data)
    assert keyswitch.rotate_many(keys, pair[0], [0, 512]) == [pair[0], pair[0]]


def test_conjugation_conjugates(keys: EvaluationKeys, secret: SecretKey, ring: Ring, values: Any) -> None:
    z = values[0] + 1j * values[1]
    x = encrypt.encrypt(secret, encoding.encode(ring, z, 3, 2.0**40))
    got = encrypt.decrypt(secret, keyswitch.conjugate(keys, x))
    assert np.abs(got - z.conj()).max() < 2 * bound(ring.params, 3)


def test_a_missing_key_is_named(keys: EvaluationKeys, pair: Any) -> None:
    with pytest.raises(ValueError, match="no key for rotation by 9, expected one of"):
        keyswitch.rotate(keys, pair[0], 9)
    with pytest.raises(ValueError, match="no key for rotation by 9"):
        keyswitch.rotate_many(keys, pair[0], [1, 9])


def test_relinearising_and_rescaling_at_once_is_as_exact(
    keys: EvaluationKeys, secret: SecretKey, pair: Any
) -> None:
    once = evaluate.multiply_rescale(keys, *pair)
    twice = evaluate.rescale(keys.ring, evaluate.multiply(keys, *pair))
    difference = np.abs(encrypt.decrypt(secret, once) - encrypt.decrypt(secret, twice)).max()
    rounding = noise.slot_deviation(keys.ring.params, 3 * noise.rounding(keys.ring.params), once.scale)
    assert difference < 2 * noise.TAIL * rounding
