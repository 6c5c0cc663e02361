"""One small ring with keys for all tests of the scheme: N = 2^10, three levels, digits of two primes."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from he.ckks import encoding, encrypt
from he.ckks.keys import EvaluationKeys, SecretKey
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring

SPEC = CkksSpec(log_n=10, depth=3, special=2, insecure=True)


def fixed_source(start: int = 0) -> Callable[[], bytes]:
    """Seeds for tests that need the same bits twice; never for anything else."""
    numbers: Iterator[int] = count(start)
    return lambda: next(numbers).to_bytes(32, "little")


@pytest.fixture(scope="session")
def params() -> CkksParams:
    return CkksParams.from_spec(SPEC)


@pytest.fixture(scope="session")
def ring(params: CkksParams) -> Ring:
    return Ring(params, threads=1)


@pytest.fixture(scope="session")
def secret(ring: Ring) -> SecretKey:
    return SecretKey.generate(ring)


@pytest.fixture(scope="session")
def keys(secret: SecretKey) -> EvaluationKeys:
    return EvaluationKeys.generate(secret, [1, 2, 3, 4, 8, 511], conjugation=True)


@pytest.fixture(scope="session")
def values() -> Any:
    """Two vectors of 512 slots in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, size=(2, 512))


@pytest.fixture(scope="session")
def pair(secret: SecretKey, ring: Ring, values: Any) -> Any:
    """The two vectors, encrypted at the top level."""
    return tuple(encrypt.encrypt(secret, encoding.encode(ring, v, 3, 2.0**40)) for v in values)
