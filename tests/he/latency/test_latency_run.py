"""The latency layout on every engine: the network's scores within the predicted bound."""

from typing import Any

import numpy as np
import pytest

import he
from he import kernels
from he.ckks.params import CkksSpec
from he.engines.clear import ClearEvaluator
from he.latency import run
from he.latency.choose import Planner
from he.latency.plan import Plan
from he.model.blocks import of_graph
from he.model.graph import Graph, Node
from he.model.layers import Conv, Dense, Reindex
from he.model.nonlinear import Polynomial, Square

DEEP = CkksSpec(log_n=10, depth=8, special=2, insecure=True)

needs_kernels = pytest.mark.skipif(not kernels.available(), reason="the exact kernels are too slow for this")


def strided() -> Graph:
    """Two strided convolutions, a polynomial between them, and more features than a ciphertext has slots."""
    rng = np.random.default_rng(3)
    same = ((1, 1), (1, 1))
    gentle = Polynomial([0.2, 0.5, 0.3, -0.1], (-4.0, 4.0))
    return Graph(
        (2, 8, 8),
        (
            Node("conv1", Conv(rng.normal(size=(9, 2, 3, 3)) / 5, rng.normal(size=9) / 9, padding=same)),
            Node("act", gentle, (0,)),
            Node("conv2", Conv(rng.normal(size=(5, 9, 2, 2)) / 9, stride=(2, 2)), (1,)),
            Node("square", Square(), (2,)),
            Node("flat", Reindex.reshape((5, 4, 4), (80,)), (3,)),
            Node("dense", Dense(rng.normal(size=(3, 80)) / 9, rng.normal(size=3)), (4,)),
        ),
    )


@pytest.fixture(scope="module", params=["residual", "strided"])
def model(request: pytest.FixtureRequest, residual: Graph) -> tuple[Graph, he.Model]:
    graph = residual if request.param == "residual" else strided()
    return graph, he.compile(graph, spec=DEEP)


def inputs(graph: Graph, count: int) -> Any:
    return np.random.default_rng(7).uniform(-1, 1, size=(count, *graph.input_shape))


def test_the_clear_engine_gives_the_networks_scores(model: tuple[Graph, he.Model]) -> None:
    graph, compiled = model
    x = inputs(graph, 5)
    assert isinstance(compiled.plan, Plan)
    got, bound = compiled.predict_clear(x), compiled.predicted_error(x)
    assert 0 < bound < 2.0**-8
    assert np.abs(got - graph(x)).max() < bound


@pytest.mark.parametrize("engine", [pytest.param("native", marks=needs_kernels), "seal"])
def test_encrypted_scores_are_within_the_predicted_bound(model: tuple[Graph, he.Model], engine: str) -> None:
    graph, compiled = model
    x = inputs(graph, 2)
    client = he.Client(compiled.plan, engine)
    server = he.Server(compiled, client.evaluation_keys())
    got = client.decrypt(server.predict(client.encrypt(x)))
    bound = compiled.predicted_error(x)
    assert np.abs(got - graph(x)).max() < (bound if engine == "native" else 4 * bound)


def test_a_tensor_larger_than_the_slots_takes_several_ciphertexts(residual: Graph) -> None:
    plan = he.compile(strided(), spec=DEEP).plan
    assert isinstance(plan, Plan)
    assert max(shape.layout.ciphertexts(plan.width) for shape in plan.shapes) == 2


def test_weights_of_another_sparsity_are_refused(residual: Graph, tiny: CkksSpec) -> None:
    """A matrix with entries where the planned one has none would need keys that nobody made."""
    blocks = of_graph(residual)
    plan = Planner(blocks, residual.input_shape).with_spec(tiny)
    full = type(blocks[0].matrix)(np.ones(blocks[0].matrix.shape))
    other = type(blocks[0])(**(vars(blocks[0]) | {"matrix": full}))
    with pytest.raises(ValueError, match=r"need rotations .* expected those of the plan"):
        run.encode(plan, (other, *blocks[1:]), ClearEvaluator(plan.params))
