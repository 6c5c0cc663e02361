"""Networks small enough to encrypt in every test: a residual convolution and a chain."""

import numpy as np
import pytest

import he
from he.model.graph import INPUT, Graph, Node
from he.model.layers import Add, Conv, Dense, Reindex, Scale
from he.model.nonlinear import Square

TINY = he.CkksSpec(log_n=10, depth=5, special=2, insecure=True)


@pytest.fixture(scope="session")
def tiny() -> he.CkksSpec:
    return TINY


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
