"""Polynomials on every engine: the same value, level and scale, within the predicted noise."""

from typing import Any

import numpy as np
import pytest
from numpy.polynomial import chebyshev as exact

from he.ckks.params import CkksParams, CkksSpec
from he.engines.clear import ClearEvaluator
from he.engines.native import NativeEngine
from he.engines.seal import SealEngine

PARAMS = CkksParams.from_spec(CkksSpec(log_n=10, depth=5, special=2, insecure=True))
VALUES = np.random.default_rng(0).uniform(-1, 1, PARAMS.slots)
TOP, SCALE = PARAMS.top_level, PARAMS.scale


@pytest.fixture(scope="module", params=["native", "seal"])
def parties(request: pytest.FixtureRequest) -> Any:
    engine = NativeEngine(threads=1) if request.param == "native" else SealEngine()
    owner = engine.owner(PARAMS, ())
    return owner, engine.evaluator(PARAMS, (), owner.evaluation_keys())


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 8, 13, 31])
def test_engines_agree_within_the_predicted_noise(degree: int, parties: Any) -> None:
    owner, evaluator = parties
    c = np.random.default_rng(degree).uniform(-1, 1, degree + 1)
    clear = ClearEvaluator(PARAMS)
    expected = clear.polynomial(clear.encrypt(VALUES, TOP, SCALE), c.tolist())
    np.testing.assert_allclose(expected.values, exact.chebval(VALUES, c), rtol=0, atol=2.0**-30)
    assert expected.level == TOP - degree.bit_length()
    assert expected.scale == pytest.approx(SCALE, rel=2**-45)
    x = evaluator.load(owner.encrypt(VALUES, TOP, SCALE), TOP, SCALE)
    out = evaluator.dump(evaluator.polynomial(x, c.tolist()))
    got = owner.decrypt(out, expected.level, SCALE)
    assert np.abs(got - expected.values).max() < expected.bound < 2.0**-12


def test_zeros_among_the_coefficients(parties: Any) -> None:
    owner, evaluator = parties
    c = [0.0] * 12
    c[11], c[3] = 0.5, -1.0
    x = evaluator.load(owner.encrypt(VALUES, TOP, SCALE), TOP, SCALE)
    got = owner.decrypt(evaluator.dump(evaluator.polynomial(x, [*c, 0.0, 0.0])), TOP - 4, SCALE)
    clear = ClearEvaluator(PARAMS)
    bound = clear.polynomial(clear.encrypt(VALUES, TOP, SCALE), c).bound
    assert np.abs(got - exact.chebval(VALUES, c)).max() < bound


def test_numbers_are_added_everywhere(parties: Any) -> None:
    owner, evaluator = parties
    x = evaluator.load(owner.encrypt(VALUES, TOP, SCALE), TOP, SCALE)
    got = owner.decrypt(evaluator.dump(evaluator.add_number(x, -2.5)), TOP, SCALE)
    assert np.abs(got - VALUES + 2.5).max() < ClearEvaluator(PARAMS).encrypt(VALUES, TOP, SCALE).bound


@pytest.mark.parametrize(
    ("coefficients", "level", "words"),
    [
        ([1.0], 5, "the polynomial has degree 0, expected at least 1"),
        ([1.0, 0.0, 0.0], 5, "the polynomial has degree 0"),
        ([1.0, np.nan], 5, "the coefficients hold NaN or infinity"),
        ([0.0] * 8 + [1.0], 3, "level is 3, expected at least 4 for degree 8"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(coefficients: Any, level: int, words: str) -> None:
    clear = ClearEvaluator(PARAMS)
    x = clear.encrypt(VALUES, level, SCALE)
    with pytest.raises(ValueError, match=words):
        clear.polynomial(x, coefficients)
