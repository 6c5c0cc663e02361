"""Predicted deviations against measured ones, on a ring large enough for the averages to hold."""

from typing import Any

import numpy as np
import pytest

from he.ckks import encoding, encrypt, evaluate, keyswitch, noise
from he.ckks.keys import EvaluationKeys, PublicKey, SecretKey
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring

PARAMS = CkksParams.from_spec(
    CkksSpec(log_n=12, depth=3, special=2, special_bits=45, first_bits=45, insecure=True)
)
SCALE = PARAMS.scale
WITHIN = 0.2  # of the deviation: 2048 slots estimate it to 1.6 %, a key's own error makes the rest


@pytest.fixture(scope="module")
def setting() -> Any:
    ring = Ring(PARAMS, threads=1)
    secret = SecretKey.generate(ring)
    values = np.random.default_rng(0).uniform(-1, 1, PARAMS.slots)
    return ring, secret, EvaluationKeys.generate(secret, [1]), values


def measured(secret: SecretKey, x: Any, expected: Any) -> float:
    return float(np.std(encrypt.decrypt(secret, x).real - expected))


def test_each_prediction_is_the_measured_deviation(setting: Any) -> None:
    ring, secret, keys, values = setting
    plain = encoding.encode(ring, values, 3, SCALE)
    x = encrypt.encrypt(secret, plain)
    fresh = noise.fresh(PARAMS) + noise.encoding(PARAMS)
    public = encrypt.encrypt_public(PublicKey.generate(secret), plain)
    switched = fresh + noise.key_switch(PARAMS, 3) + noise.rounding(PARAMS)
    rescaled = evaluate.rescale(ring, evaluate.multiply_scalar(ring, x, 1.0, 2.0**40))
    small = np.std(encoding.decode(ring, encoding.encode(ring, values, 3, 2.0**20)).real - values)
    cases = {
        "fresh": (measured(secret, x, values), fresh),
        "public": (measured(secret, public, values), noise.fresh_public(PARAMS) + noise.encoding(PARAMS)),
        "rotate": (measured(secret, keyswitch.rotate(keys, x, 1), np.roll(values, -1)), switched),
        "rescale": (measured(secret, rescaled, values), fresh + noise.rounding(PARAMS)),
        "encode": (float(small) * 2.0**-20, noise.encoding(PARAMS)),
    }
    for name, (got, variance) in cases.items():
        predicted = noise.slot_deviation(PARAMS, variance, SCALE)
        assert abs(got / predicted - 1) < WITHIN, name


def test_the_tail_is_rare_enough() -> None:
    """2 t K_1(2 t) by its integral, t cosh(u) exp(-2 t cosh(u)) over u."""
    t = noise.TAIL / np.sqrt(2)
    u = np.linspace(0, 10, 200001)
    probability = 2 * t * np.trapezoid(np.cosh(u) * np.exp(-2 * t * np.cosh(u)), u)
    assert 2**16 * probability < 2**-30
    assert 2**16 * probability > 2**-34  # no wider than needed


def test_bits_of_precision_are_those_of_the_bound() -> None:
    assert noise.bits(2.0**-20 / noise.TAIL) == 20
    assert noise.bits(0.0) == np.inf
