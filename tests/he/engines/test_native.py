"""Our own scheme behind the verbs: each verb against its prediction in the clear, and against SEAL."""

from typing import Any

import numpy as np
import pytest

from he import kernels
from he.ckks import linear, noise
from he.ckks.params import CkksParams, CkksSpec
from he.engines.clear import ClearEvaluator
from he.engines.native import NativeEngine
from he.engines.seal import SealEngine

PARAMS = CkksParams.from_spec(CkksSpec(log_n=11, depth=2, special=2, insecure=True))
ROTATIONS = (1, 2, 7)
LOOSEST = 2.0**6  # times the measured error may stay below its bound, or the bound says nothing
DIAGONALS = linear.split({k: np.cos(np.arange(1024) * k) for k in (0, 1, 2, 3)}, 2)
VERBS = {
    "encrypt": lambda e, x, y: x,
    "add": lambda e, x, y: e.add(x, y),
    "add_plain": lambda e, x, y: e.add_plain(x, e.encode(np.arange(1024) / 1024, 2, 2.0**40)),
    "multiply": lambda e, x, y: e.multiply(x, y),
    "square twice": lambda e, x, y: e.multiply(e.multiply(x, x), e.multiply(x, x)),
    "rotate": lambda e, x, y: e.rotate(x, [0, 7])[1],
    "linear": lambda e, x, y: e.linear(x, e.encode_linear(DIAGONALS, 2, 2.0**40)),
}


@pytest.fixture(scope="module")
def engines() -> Any:
    pairs = []
    for engine in (NativeEngine(threads=1), SealEngine()):
        owner = engine.owner(PARAMS, ROTATIONS)
        pairs.append((owner, engine.evaluator(PARAMS, ROTATIONS, owner.evaluation_keys())))
    return pairs


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_stay_within_the_predicted_noise_and_agree_with_seal(verb: str, engines: Any) -> None:
    values = np.random.default_rng(3).uniform(-2, 2, size=(2, PARAMS.slots))
    clear = ClearEvaluator(PARAMS)
    expected = VERBS[verb](clear, *(clear.encrypt(v, 2, PARAMS.scale) for v in values))
    results = []
    for owner, evaluator in engines:
        x, y = (evaluator.load(owner.encrypt(v, 2, PARAMS.scale), 2, PARAMS.scale) for v in values)
        out = evaluator.dump(VERBS[verb](evaluator, x, y))
        results.append(owner.decrypt(out, expected.level, expected.scale))
    error = np.abs(results[0] - expected.values).max()
    assert expected.bound / LOOSEST < error < expected.bound
    assert np.abs(results[0] - results[1]).max() < 2 * expected.bound


def test_missing_keys_and_wrong_levels_are_named(engines: Any) -> None:
    owner, evaluator = engines[0]
    with pytest.raises(ValueError, match=r"rotation keys for \[5\] are missing, expected \[1, 5\]"):
        NativeEngine().evaluator(PARAMS, (1, 5), owner.evaluation_keys())
    low = NativeEngine().owner(PARAMS, {1: 1, 5: 2}).evaluation_keys()
    NativeEngine().evaluator(PARAMS, {1: 1, 5: 2}, low)
    with pytest.raises(ValueError, match=r"rotation keys for \[1\] are missing, expected \[1, 5\]"):
        NativeEngine().evaluator(PARAMS, {1: 2, 5: 2}, low)
    data = owner.encrypt(np.ones(4), 2, PARAMS.scale)
    with pytest.raises(ValueError, match="ciphertext of level 2, expected 1"):
        evaluator.load(data, 1, PARAMS.scale)
    with pytest.raises(ValueError, match=r"ciphertext of scale 1\.09951e\+12, expected 2"):
        evaluator.load(data, 2, 2.0)
    assert len(data) < NativeEngine().largest_ciphertext_bytes(PARAMS)


@pytest.mark.parametrize("path", kernels.paths()[1:])
def test_every_compiled_path_runs_the_verbs(path: str) -> None:
    engine = NativeEngine(path=path, threads=2)
    owner = engine.owner(PARAMS, [1])
    evaluator = engine.evaluator(PARAMS, [1], owner.evaluation_keys())
    x = evaluator.load(owner.encrypt(np.arange(1024.0), 2, 2.0**40), 2, 2.0**40)
    (rotated,) = evaluator.rotate(x, [1])
    got = owner.decrypt(evaluator.dump(rotated), 2, 2.0**40)
    p = PARAMS
    variance = noise.fresh(p) + noise.encoding(p) + noise.key_switch(p, 2) + noise.rounding(p)
    error = np.abs(got - np.roll(np.arange(1024.0), -1)).max()
    assert error < noise.TAIL * noise.slot_deviation(p, variance, p.scale)
