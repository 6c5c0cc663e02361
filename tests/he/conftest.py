"""Models small enough for every test, and keys made once."""

from typing import Any

import numpy as np
import pytest

import he

TINY = he.CkksSpec(log_n=10, depth=3, special=2, insecure=True)


@pytest.fixture(scope="session")
def mlp() -> he.Model:
    """5 -> 6, square, 6 -> 3: every kind of step, 64 samples a ciphertext."""
    rng = np.random.default_rng(1)
    hidden = he.Dense(rng.normal(size=(6, 5)) / 2, rng.normal(size=6) / 4)
    return he.compile([hidden, he.Square(), he.Dense(rng.normal(size=(3, 6)), rng.normal(size=3))], spec=TINY)


@pytest.fixture(scope="session", params=["native", "seal"])
def parties(mlp: he.Model, request: pytest.FixtureRequest) -> Any:
    """A client and a server for `mlp`, on each engine."""
    client = he.Client(mlp.plan, engine=request.param)
    return client, he.Server(mlp, client.evaluation_keys())


@pytest.fixture(scope="session")
def rows() -> Any:
    """70 samples of 5 features: more than one ciphertext holds."""
    return np.random.default_rng(2).uniform(-1, 1, size=(70, 5))
