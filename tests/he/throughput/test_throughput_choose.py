import numpy as np
import pytest

import he

RNG = np.random.default_rng(0)
CHAIN = [he.Dense(RNG.normal(size=(4, 3)) / 2), he.Square(), he.Dense(RNG.normal(size=(2, 4)) / 2)]
SAMPLES = RNG.uniform(-1, 1, (80, 3))


def test_the_smallest_ring_and_scale_that_keep_the_precision() -> None:
    coarse, fine, finest = (
        he.compile(CHAIN, samples=SAMPLES, optimise="throughput", precision=bits) for bits in (6, 16, 24)
    )
    specs = [model.plan.params.spec for model in (coarse, fine, finest)]
    assert specs[0].log_n <= specs[1].log_n <= specs[2].log_n
    assert specs[0].scale_bits < specs[1].scale_bits < specs[2].scale_bits
    for model, bits in ((coarse, 6), (fine, 16), (finest, 24)):
        error = np.abs(model.predict_clear(SAMPLES[:64]) - _exact(SAMPLES[:64])).max()
        assert error + model.predicted_error(SAMPLES[:64]) <= 2.0**-bits
        assert model.plan.params.security >= 128
    with pytest.raises(ValueError, match="60 bits of precision asked for, expected at most"):
        he.compile(CHAIN, samples=SAMPLES, optimise="throughput", precision=60)


def test_without_samples_the_scale_is_40_bits() -> None:
    plan = he.compile(CHAIN, optimise="throughput").plan
    assert plan.params.spec.scale_bits == 40
    assert plan.rotations == ()


def test_scores_that_no_modulus_holds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the samples' scores reach 2\^\d+, expected less than 2\^28"):
        he.compile([he.Dense([[2.0**30]])], samples=[[1.0]], optimise="throughput")
    with pytest.raises(ValueError, match="optimise is 'speed', expected 'latency' or 'throughput'"):
        he.compile(CHAIN, optimise="speed")  # type: ignore[arg-type]


def _exact(x: np.ndarray) -> np.ndarray:
    for layer in CHAIN:
        x = layer(x)
    return x
