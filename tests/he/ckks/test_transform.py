from typing import Any

import numpy as np
import pytest

from he.ckks import encrypt, evaluate, linear, noise, transform
from he.ckks.keys import EvaluationKeys, SecretKey
from he.ckks.ring import Ring

SCALE = 2.0**40


@pytest.mark.parametrize(
    ("steps", "block"), [([0], 1), ([3], 4), ([0, 1, 2, 3], 2), ([0, 2, 4, 8, 9, 10, 11], 4), ([1, 8], 8)]
)
@pytest.mark.parametrize("level", [3, 1])
def test_diagonals_are_applied_and_rescaled(
    steps: list[int],
    block: int,
    level: int,
    ring: Ring,
    keys: EvaluationKeys,
    secret: SecretKey,
    pair: Any,
    values: Any,
) -> None:
    rng = np.random.default_rng(4)
    table = {k: rng.uniform(-1, 1, 512) for k in steps}
    linear_map = transform.encode(ring, linear.split(table, block), level, SCALE)
    got = transform.apply(keys, evaluate.drop(ring, pair[0], level), linear_map)
    expected = sum(d * np.roll(values[0], -k) for k, d in table.items())
    p = ring.params
    term = noise.fresh(p) + 2 * noise.encoding(p) + noise.key_switch(p, level) + noise.rounding(p)
    variance = len(steps) * (term + noise.key_switch(p, level) + noise.rounding(p)) + noise.rounding(p)
    error = np.abs(encrypt.decrypt(secret, got).real - expected).max()
    assert error < noise.TAIL * noise.slot_deviation(p, variance, SCALE)
    assert (got.level, got.scale) == (level - 1, SCALE * SCALE / p.moduli[level])


def test_another_level_and_no_diagonals_are_refused(ring: Ring, keys: EvaluationKeys, pair: Any) -> None:
    linear_map = transform.encode(ring, linear.split({0: np.ones(512)}, 1), 2, SCALE)
    assert repr(linear_map) == "LinearMap(1 diagonals, level=2)"
    with pytest.raises(ValueError, match="the linear map has level 2, expected 3"):
        transform.apply(keys, pair[0], linear_map)
    with pytest.raises(ValueError, match="0 diagonals given"):
        transform.encode(ring, linear.split({0: np.zeros(512)}, 1), 2, SCALE)
    with pytest.raises(ValueError, match="no key for rotation by 9"):
        transform.apply(keys, pair[0], transform.encode(ring, linear.split({9: np.ones(512)}, 16), 3, SCALE))
