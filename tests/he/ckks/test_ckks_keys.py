import pickle
from typing import Any

import numpy as np
import pytest

from he import kernels
from he.ckks import encoding, encrypt, keyswitch, noise
from he.ckks import keys as module
from he.ckks.keys import EvaluationKeys, PublicKey, SecretKey, switching_key
from he.ckks.params import SIGMA
from he.ckks.ring import Ring


def centred(x: Any, ring: Ring) -> Any:
    """The coefficients modulo q_0, in (-q_0/2, q_0/2]."""
    q = ring.params.moduli[0]
    row = kernels.intt(np.ascontiguousarray(x[:1]), ring.basis(0))[0].astype(np.int64)
    return np.where(row > q // 2, row - q, row)


def test_the_secret_is_ternary_and_a_function_of_its_seed(ring: Ring) -> None:
    a, b = SecretKey(ring, bytes(32)), SecretKey(ring, bytes(32))
    np.testing.assert_array_equal(a.values(6), b.values(6))
    assert set(centred(a.values(6), ring)) == {-1, 0, 1}


def test_secrets_show_and_pickle_nothing(secret: SecretKey) -> None:
    assert repr(secret).startswith("SecretKey(CkksParams(")
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


def test_a_public_key_encrypts_zero(ring: Ring, secret: SecretKey) -> None:
    public = PublicKey.generate(secret)
    basis = ring.public
    e = kernels.mul_add(public.data[1], secret.values(5), public.data[0], basis)
    assert np.abs(centred(e, ring)).max() < 10 * SIGMA


def test_each_digit_of_a_switching_key_encrypts_its_part(ring: Ring, secret: SecretKey) -> None:
    """b + a s = e + g_j s' with g_j = P modulo the primes of digit j and 0 modulo the others."""
    s = secret.values(6)
    other = kernels.mul(s, s, ring.full)
    key = switching_key(ring, s, other, lambda: bytes(range(32)))
    p_other = kernels.mul_scalar(other, [ring.p] * 6, ring.full)
    for j, rows in enumerate(module.digit_ranges(ring)):
        e = kernels.mul_add(key.data[j, 1], s, key.data[j, 0], ring.full)
        for i, q in enumerate(ring.full.moduli):
            one = ring.full.select([i])
            row = kernels.sub(e[i : i + 1], p_other[i : i + 1], one) if i in rows else e[i : i + 1].copy()
            small = kernels.intt(row, one)[0].astype(np.int64)
            assert np.abs(np.where(small > q // 2, small - q, small)).max() < 10 * SIGMA


def test_only_the_keys_that_were_asked_for_are_made(ring: Ring, secret: SecretKey) -> None:
    keys = EvaluationKeys.generate(secret, [0, 1, 1, 513])
    assert set(keys.automorphisms) == {5}
    assert keys.automorphism(5).shape == (2, 2, 6, 1024)
    with pytest.raises(ValueError, match=r"no key for rotation by 2, expected one of \['rotation by 1'\]"):
        keys.automorphism(25)
    with pytest.raises(ValueError, match="no key for conjugation"):
        keys.automorphism(ring.conjugation)
    with pytest.raises(ValueError, match=r"no key for X -> X\^3,"):
        keys.automorphism(3)
    assert repr(keys).startswith("EvaluationKeys(1 automorphisms")


def test_a_key_for_a_lower_level_is_smaller_and_rotates_there(ring: Ring, secret: SecretKey) -> None:
    keys = EvaluationKeys.generate(secret, {1: 1, 2: 3})
    small = keys.automorphisms[ring.galois(1)]
    assert small.level(ring) == 1
    assert small.data.shape == (1, 2, 4, 1024)
    values = np.random.default_rng(0).uniform(-1, 1, ring.params.slots)
    x = encrypt.encrypt(secret, encoding.encode(ring, values, 1, ring.params.scale))
    got = encrypt.decrypt(secret, keyswitch.rotate(keys, x, 1)).real
    variance = noise.fresh(ring.params) + noise.key_switch(ring.params, 1) + noise.rounding(ring.params)
    bound = noise.TAIL * noise.slot_deviation(ring.params, variance + 1, ring.params.scale)
    assert np.abs(got - np.roll(values, -1)).max() < bound
    high = encrypt.encrypt(secret, encoding.encode(ring, values, 2, ring.params.scale))
    with pytest.raises(ValueError, match="key: got shape"):
        keyswitch.rotate(keys, high, 1)
    with pytest.raises(ValueError, match="level of rotation 1 is 9, expected 0 to 3"):
        EvaluationKeys.generate(secret, {1: 9})
