"""Models small enough for every test, and keys made once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import he
from he.latency import calibrate
from he.latency.cost import Costs
from he.model.graph import INPUT, Graph, Node
from he.model.layers import Add, Conv, Dense, Reindex, Scale
from he.model.nonlinear import Square

TINY = he.CkksSpec(log_n=10, depth=3, special=2, insecure=True)


@pytest.fixture(scope="session", autouse=True)
def same_costs_everywhere() -> Iterator[None]:
    """Plans that do not depend on the machine, and no file in anybody's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrate, "of_machine", Costs)
        yield


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


@pytest.fixture(scope="session")
def residual() -> Graph:
    """conv, square, conv, plus the input, square, dense: two branches of different depth."""
    rng = np.random.default_rng(0)
    same = ((1, 1), (1, 1))
    return Graph(
        (2, 4, 4),
        (
            Node("first", Conv(rng.normal(size=(2, 2, 3, 3)) / 4, rng.normal(size=2) / 4, padding=same)),
            Node("square", Square(), (0,)),
            Node("second", Conv(rng.normal(size=(2, 2, 3, 3)) / 4, padding=same), (1,)),
            Node("sum", Add(), (2, INPUT)),
            Node("scale", Scale(0.5, 0.1), (3,)),
            Node("square2", Square(), (4,)),
            Node("flatten", Reindex.reshape((2, 4, 4), (32,)), (5,)),
            Node("last", Dense(rng.normal(size=(3, 32)) / 4, rng.normal(size=3)), (6,)),
        ),
    )
