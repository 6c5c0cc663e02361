import numpy as np
import pytest

from he.model.blocks import clear, of_graph
from he.model.graph import INPUT, Graph, Node
from he.model.layers import Concat, Dense, Reindex
from he.model.nonlinear import Activation, Square

RNG = np.random.default_rng(0)


def test_linear_layers_merge_and_the_network_stays_the_same(residual: Graph) -> None:
    blocks = of_graph(residual)
    assert [(b.name, b.sources) for b in blocks] == [
        ("first .. square", (INPUT,)),
        ("second .. square2", (0, INPUT)),
        ("flatten .. last", (1,)),
    ]
    x = RNG.normal(size=(5, 2, 4, 4))
    np.testing.assert_allclose(clear(blocks, x.reshape(5, 32)), residual(x), rtol=0, atol=1e-10)


def test_a_square_of_the_input_and_one_at_the_end() -> None:
    graph = Graph(
        (3,),
        (
            Node("squared", Square()),
            Node("both", Concat(), (0, INPUT)),
            Node("dense", Dense(RNG.normal(size=(2, 6))), (1,)),
            Node("end", Square(), (2,)),
        ),
    )
    x = RNG.normal(size=(4, 3))
    blocks = of_graph(graph)
    assert [b.activation for b in blocks] == [Square(), Square()]
    np.testing.assert_allclose(clear(blocks, x), graph(x), rtol=0, atol=1e-12)


def test_features_that_are_constant_vanish() -> None:
    """Rows of zeros, and then rows that only took such, through two activations."""
    first = Dense([[1.0, 2.0], [0.0, 0.0]], [0.5, 3.0])
    second = Dense([[1.0, 1.0], [0.0, 2.0]], [0.0, 1.0])
    layers = [first, Square(), second, Square(), Dense([[1.0, -1.0]])]
    graph = Graph((2,), tuple(Node(str(i), layer, (i - 1,)) for i, layer in enumerate(layers)))
    blocks = of_graph(graph)
    assert [b.matrix.shape for b in blocks] == [(1, 2), (1, 1), (1, 1)]
    x = RNG.normal(size=(4, 2))
    np.testing.assert_allclose(clear(blocks, x), graph(x), rtol=0, atol=1e-9)


def test_what_cannot_be_encrypted_is_refused() -> None:
    with pytest.raises(ValueError, match="act is relu, expected a polynomial in its place"):
        of_graph(Graph((2,), (Node("act", Activation("relu")),)))
    nodes = (Node("dense", Dense([[1.0, 1.0], [0.0, 0.0]])), Node("turn", Reindex([1, 0]), (0,)))
    with pytest.raises(ValueError, match="score 0 does not depend on the input"):
        of_graph(Graph((2,), nodes))
    assert repr(of_graph(Graph((2,), (Node("one", Dense([[1.0, 1.0]])),)))[0]) == "Block(one, 2 -> 1)"
