import numpy as np
import pytest

from he.ckks import linear, noise
from he.ckks.params import CkksParams, CkksSpec
from he.engines.clear import ClearEvaluator

PARAMS = CkksParams.from_spec(CkksSpec(log_n=10, depth=2, insecure=True))


def test_levels_and_scales_are_those_of_a_ciphertext() -> None:
    engine = ClearEvaluator(PARAMS)
    x = engine.encode(np.arange(512.0), 2, PARAMS.scale)
    y = engine.multiply(x, x)
    assert (y.level, y.scale) == (1, PARAMS.scale**2 / PARAMS.moduli[2])
    np.testing.assert_array_equal(engine.rotate(x, [3])[0].values[:4], [3, 4, 5, 6])


def test_bytes_come_back_and_wrong_lengths_do_not() -> None:
    engine = ClearEvaluator(PARAMS)
    x = engine.encode(np.arange(512.0), 2, PARAMS.scale)
    back = engine.load(engine.dump(x), 2, PARAMS.scale)
    np.testing.assert_array_equal(back.values, x.values)
    with pytest.raises(ValueError, match="4095 bytes given, expected 4096"):
        engine.load(engine.dump(x)[1:], 2, PARAMS.scale)


def test_the_noise_it_adds_is_the_noise_it_predicts() -> None:
    """With a generator, the measured deviation of each verb is the predicted one, slot by slot."""
    values = np.random.default_rng(1).uniform(-1, 1, size=512)
    diagonals = linear.split({k: np.full(512, 0.5) for k in range(4)}, 2)
    noisy, exact = ClearEvaluator(PARAMS, np.random.default_rng(2)), ClearEvaluator(PARAMS)
    verbs = {
        "encrypt": lambda e, x: x,
        "rotate": lambda e, x: e.rotate(x, [1])[0],
        "fold": lambda e, x: e.fold(x, [1, 2]),
        "add": lambda e, x: e.add(x, x),
        "multiply": lambda e, x: e.multiply(x, x),
        "linear": lambda e, x: e.linear(x, e.encode_linear(diagonals, 2, PARAMS.scale)),
    }
    for name, verb in verbs.items():
        expected = verb(exact, exact.encrypt(values, 2, PARAMS.scale))
        got = verb(noisy, noisy.encrypt(values, 2, PARAMS.scale))
        ratio = np.std((got.values - expected.values) / expected.deviation)
        assert 0.6 < ratio < 1.2, name
        assert expected.bound == noise.TAIL * np.max(expected.deviation)
