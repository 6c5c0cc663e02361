from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from he.ckks import encoding, encrypt, evaluate, keyswitch, noise
from he.ckks.cipher import Ciphertext
from he.ckks.keys import EvaluationKeys, SecretKey
from he.ckks.ring import Ring

SCALE = 2.0**40


def bound(ring: Ring, amplification: float) -> float:
    """Fresh noise `amplification` times, and a key switch with a rescaling at the end."""
    p = ring.params
    fresh = noise.slot_deviation(p, noise.fresh(p) + noise.encoding(p), SCALE)
    end = noise.slot_deviation(p, noise.key_switch(p, 3) + 2 * noise.rounding(p), SCALE)
    return noise.TAIL * (amplification * fresh + end)


VERBS: dict[str, tuple[Callable[..., Any], Callable[..., Any], float]] = {
    "add": (lambda k, r, x, y, p: evaluate.add(r, x, y), lambda x, y: x + y, 2),
    "sub": (lambda k, r, x, y, p: evaluate.sub(r, x, y), lambda x, y: x - y, 2),
    "neg": (lambda k, r, x, y, p: evaluate.neg(r, x), lambda x, y: -x, 1),
    "add_plain": (lambda k, r, x, y, p: evaluate.add_plain(r, x, p), lambda x, y: x + y, 2),
    "add_scalar": (lambda k, r, x, y, p: evaluate.add_scalar(r, x, -0.75), lambda x, y: x - 0.75, 1),
    "multiply_plain": (lambda k, r, x, y, p: evaluate.multiply_plain(r, x, p), lambda x, y: x * y, 2),
    "multiply_scalar": (
        lambda k, r, x, y, p: evaluate.multiply_scalar(r, x, -1.5, SCALE),
        lambda x, y: -1.5 * x,
        2,
    ),
    "multiply": (lambda k, r, x, y, p: evaluate.multiply(k, x, y), lambda x, y: x * y, 2),
    "multiply_rescale": (lambda k, r, x, y, p: evaluate.multiply_rescale(k, x, y), lambda x, y: x * y, 2),
    "square": (lambda k, r, x, y, p: evaluate.square(k, x), lambda x, y: x * x, 2),
    "rescale": (
        lambda k, r, x, y, p: evaluate.rescale(r, evaluate.multiply_plain(r, x, p)),
        lambda x, y: x * y,
        2,
    ),
    "sum_slots": (
        lambda k, r, x, y, p: evaluate.sum_slots(k, x, 16),
        lambda x, y: sum(np.roll(x, -i) for i in range(16)),
        16 * 16,
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_decryption_commutes_with_the_operation(
    verb: str, keys: EvaluationKeys, ring: Ring, secret: SecretKey, pair: Any, values: Any
) -> None:
    operate, expected, amplification = VERBS[verb]
    plain = encoding.encode(ring, values[1], 3, SCALE)
    got = encrypt.decrypt(secret, operate(keys, ring, *pair, plain)).real
    error = np.abs(got - expected(*values)).max()
    assert error < bound(ring, amplification)


def test_addition_and_multiplication_obey_the_laws(
    keys: EvaluationKeys, ring: Ring, secret: SecretKey, pair: Any
) -> None:
    x, y = pair
    np.testing.assert_array_equal(evaluate.add(ring, x, y).data, evaluate.add(ring, y, x).data)
    np.testing.assert_array_equal(evaluate.sub(ring, evaluate.add(ring, x, y), y).data, x.data)
    np.testing.assert_array_equal(
        evaluate.multiply_rescale(keys, x, y).data, evaluate.multiply_rescale(keys, y, x).data
    )
    rotated = keyswitch.rotate(keys, evaluate.multiply_rescale(keys, x, y), 1)
    other = evaluate.multiply_rescale(keys, keyswitch.rotate(keys, x, 1), keyswitch.rotate(keys, y, 1))
    difference = encrypt.decrypt(secret, rotated) - encrypt.decrypt(secret, other)
    assert np.abs(difference).max() < 2 * bound(ring, 8)


def test_arguments_are_not_changed(keys: EvaluationKeys, ring: Ring, pair: Any) -> None:
    before = [x.data.copy() for x in pair]
    plain = encoding.encode(ring, [0.5], 3, SCALE)
    for operate, _, _ in VERBS.values():
        operate(keys, ring, *pair, plain)
    for x, old in zip(pair, before, strict=True):
        np.testing.assert_array_equal(x.data, old)


def test_levels_and_scales_are_exact(keys: EvaluationKeys, ring: Ring, pair: Any) -> None:
    q = ring.params.moduli
    x = evaluate.square(keys, evaluate.square(keys, pair[0]))
    assert (x.level, x.scale) == (1, (SCALE**2 / q[3]) ** 2 / q[2])
    dropped = evaluate.drop(ring, pair[0], 1)
    assert (dropped.level, dropped.scale, dropped.data.shape) == (1, SCALE, (2, 2, 1024))


def test_mixed_scales_and_levels_are_refused(keys: EvaluationKeys, ring: Ring, pair: Any) -> None:
    x, y = pair
    with pytest.raises(ValueError, match="has level 1, expected 3: drop"):
        evaluate.add(ring, x, evaluate.drop(ring, y, 1))
    with pytest.raises(ValueError, match="has level 1, expected 3: drop"):
        evaluate.multiply(keys, x, evaluate.drop(ring, y, 1))
    with pytest.raises(ValueError, match=r"has scale 2\.19.*e\+12, expected 1\.09.*e\+12: scales must not"):
        evaluate.sub(ring, x, Ciphertext(y.data, 3, 2 * y.scale))
    with pytest.raises(ValueError, match="plaintext has level 2, expected 3"):
        evaluate.multiply_plain(ring, x, encoding.encode(ring, [1.0], 2, SCALE))


def test_running_out_of_levels_is_an_error(keys: EvaluationKeys, ring: Ring, pair: Any) -> None:
    bottom = evaluate.drop(ring, pair[0], 0)
    for call in (lambda: evaluate.rescale(ring, bottom), lambda: evaluate.square(keys, bottom)):
        with pytest.raises(ValueError, match="level is 0, expected at least 1: no levels are left"):
            call()
    with pytest.raises(ValueError, match="level is 1, expected 0 to 0: levels only go down"):
        evaluate.drop(ring, bottom, 1)
    with pytest.raises(ValueError, match="count is 3, expected a power of two"):
        evaluate.sum_slots(keys, pair[0], 3)
