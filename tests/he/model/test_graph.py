import numpy as np
import pytest

from he.model.graph import INPUT, Graph, Node
from he.model.layers import Add, Conv, Dense, Reindex
from he.model.nonlinear import Square


def residual() -> Graph:
    rng = np.random.default_rng(0)
    same = ((1, 1), (1, 1))
    return Graph(
        (2, 4, 4),
        (
            Node("first", Conv(rng.normal(size=(2, 2, 3, 3)), padding=same)),
            Node("square", Square(), (0,)),
            Node("second", Conv(rng.normal(size=(2, 2, 3, 3)), padding=same), (1,)),
            Node("sum", Add(), (2, INPUT)),
            Node("flatten", Reindex.reshape((2, 4, 4), (32,)), (3,)),
            Node("last", Dense(rng.normal(size=(3, 32))), (4,)),
        ),
    )


def test_a_residual_network_in_the_clear() -> None:
    graph = residual()
    x = np.random.default_rng(1).normal(size=(5, 2, 4, 4))
    first, second, last = graph.nodes[0].layer, graph.nodes[2].layer, graph.nodes[5].layer
    assert isinstance(first, Conv) and isinstance(second, Conv) and isinstance(last, Dense)
    exact = last((second(first(x) ** 2) + x).reshape(5, 32))
    np.testing.assert_allclose(graph(x), exact, rtol=0, atol=1e-10)
    assert graph.output_shape == (3,)
    assert graph.shapes[:2] == ((2, 4, 4), (2, 4, 4))
    assert len(graph.values(x)) == 6


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((), "0 nodes given"),
        ((Node("a", Dense(np.ones((2, 3)))),), r"a: input of shape \(4,\), expected \(3,\)"),
        ((Node("a", Square(), (0,)),), r"a takes nodes \(0,\), expected earlier ones than 0"),
        ((Node("a", Square(), ()),), r"a takes nodes \(\)"),
        ((Node("a", Square()), Node("b", Square())), "a is used by no other node"),
        ((Node("a", Square(), (INPUT, INPUT)),), "a: .*positional argument"),
    ],
)
def test_bad_graphs_are_refused(nodes: tuple[Node, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph((4,), nodes)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x has shape \(2, 3\), expected \(batch, \*\(4,\)\)"):
        Graph((4,), (Node("a", Square()),))(np.ones((2, 3)))
