"""SEAL behind the verbs: each verb against the engine in the clear."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from he.ckks import linear
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.security import largest_log_qp
from he.engines.clear import ClearEvaluator
from he.engines.seal import SealEngine, special_prime

PARAMS = CkksParams.from_spec(CkksSpec(log_n=10, depth=2, special=2, insecure=True))
ROTATIONS = (1, 2, 7)
# Fresh error sigma = 3.19 in each of 1024 coefficients, at most 6 sigma sqrt(N) in a slot; products with
# values up to 4 and a few additions and key switches make it at most 2^6 times larger.
BOUND = 2.0**6 * 6 * 3.19 * 32 / PARAMS.scale


@pytest.fixture(scope="module")
def pair() -> Any:
    owner = SealEngine().owner(PARAMS, ROTATIONS)
    return owner, SealEngine().evaluator(PARAMS, ROTATIONS, owner.evaluation_keys())


@pytest.fixture(scope="module")
def values() -> Any:
    return np.random.default_rng(3).uniform(-2, 2, size=(2, PARAMS.slots))


VERBS = {
    "add": lambda e, x, y: e.add(x, y),
    "add_plain": lambda e, x, y: e.add_plain(x, e.encode(np.arange(512) / 512, 2, 2.0**40)),
    "multiply": lambda e, x, y: e.multiply(x, y),
    "rotate": lambda e, x, y: e.rotate(x, [7])[0],
    "rotate by 0": lambda e, x, y: e.rotate(x, [0])[0],
    "linear": lambda e, x, y: e.linear(x, e.encode_linear(DIAGONALS, 2, 2.0**40)),
}
DIAGONALS = linear.split({k: np.cos(np.arange(512) * k) for k in (0, 1, 2, 3)}, 2)


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_agree_with_the_clear_engine(verb: str, pair: Any, values: Any) -> None:
    owner, evaluator = pair
    clear = ClearEvaluator(PARAMS)
    x, y = (evaluator.load(owner.encrypt(v, 2, PARAMS.scale), 2, PARAMS.scale) for v in values)
    expected = VERBS[verb](clear, *(clear.encode(v, 2, PARAMS.scale) for v in values))
    got = owner.decrypt(evaluator.dump(VERBS[verb](evaluator, x, y)), expected.level, expected.scale)
    assert np.abs(got - expected.values).max() < BOUND


def test_a_ciphertext_of_another_level_scale_or_content_is_refused(pair: Any, values: Any) -> None:
    owner, evaluator = pair
    data = owner.encrypt(values[0], 2, PARAMS.scale)
    with pytest.raises(ValueError, match=r"= \(2, 3, 1024\), expected \(2, 2, 1024\)"):
        evaluator.load(data, 1, PARAMS.scale)
    with pytest.raises(ValueError, match=r"scale is 1.09951e\+12, expected 2"):
        evaluator.load(data, 2, 2.0)
    with pytest.raises(ValueError, match=f"ciphertext of {len(data) - 9} bytes given, which SEAL refuses"):
        evaluator.load(data[:-9], 2, PARAMS.scale)
    with pytest.raises(ValueError, match="which SEAL refuses"):
        evaluator.load(bytes(100), 2, PARAMS.scale)


def test_missing_rotation_keys_are_named(pair: Any) -> None:
    with pytest.raises(ValueError, match=r"rotation keys for \[5\] are missing, expected \[1, 5\]"):
        SealEngine().evaluator(PARAMS, (1, 5), pair[0].evaluation_keys())


def test_other_parameters_keys_are_refused(pair: Any) -> None:
    other = CkksParams.from_spec(CkksSpec(log_n=10, depth=1, insecure=True))
    with pytest.raises(ValueError, match="SEAL refuses"):
        SealEngine().evaluator(other, ROTATIONS, pair[0].evaluation_keys())


@pytest.mark.parametrize(
    ("spec", "bits"),
    [
        (CkksSpec(log_n=13, depth=2), 60),
        (CkksSpec(log_n=14, depth=8), 60),
        (CkksSpec(log_n=13, depth=4, scale_bits=29, special_bits=48, first_bits=48), 50),
    ],
)
def test_the_special_prime_is_as_large_as_security_allows(spec: CkksSpec, bits: int) -> None:
    params = CkksParams.from_spec(spec)
    q = special_prime(params)
    assert q.bit_length() == bits
    log_qp = np.log2(float(q)) + np.log2(np.array(params.moduli, dtype=float)).sum()
    assert log_qp <= largest_log_qp(spec.log_n, 128) + 0.01
    assert q not in params.moduli


def test_no_file_is_left_open(pair: Any, values: Any) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    pair[0].encrypt(values[0], 2, PARAMS.scale)
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_without_tenseal_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenseal", None)
    with pytest.raises(ImportError, match=r"pip install 'latticework\[seal\]'"):
        SealEngine().owner(PARAMS, ROTATIONS)
