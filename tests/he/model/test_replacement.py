from typing import Any

import numpy as np
import pytest

from he.model import replacement
from he.model.graph import Graph, Node
from he.model.layers import Dense
from he.model.nonlinear import Activation, Polynomial

SAMPLES = np.random.default_rng(0).normal(size=(200, 4))


def perceptron(kind: Any, outputs: int = 3, second: float = 0.25) -> Graph:
    rng = np.random.default_rng(1)
    return Graph(
        (4,),
        (
            Node("first", Dense(rng.normal(size=(8, 4)), rng.normal(size=8))),
            Node("act", Activation("relu"), (0,)),
            Node("second", Dense(second * rng.normal(size=(6, 8))), (1,)),
            Node("act2", Activation(kind), (2,)),
            Node("last", Dense(rng.normal(size=(outputs, 6)) / second), (3,)),
        ),
    )


def degrees(graph: Graph) -> list[int]:
    return [node.layer.degree for node in graph.nodes if isinstance(node.layer, Polynomial)]


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("budget", [0.3, 0.05])
def test_the_least_degrees_that_keep_scores_and_classes_are_taken(outputs: int, budget: float) -> None:
    """tanh close to zero is a line, for which the lowest degree will do: the relu alone decides."""
    graph = perceptron("tanh", outputs, second=0.001)
    exact = graph(SAMPLES)

    def good(candidate: Graph) -> bool:
        scores = candidate(SAMPLES)
        error = replacement.relative_error(scores, exact)
        same = np.array_equal(replacement.classes(scores), replacement.classes(exact))
        return error <= budget and (same or error <= replacement.EXACT)

    replaced = replacement.replace(graph, SAMPLES, budget=budget)
    first, second = degrees(replaced)
    assert good(replaced)
    assert second == 3 < first
    lower = [d for d in replacement.DEGREES if d < first]
    assert lower
    assert not any(good(replacement.replace(graph, SAMPLES, degree=d)) for d in lower)
    assert replaced.nodes[1].layer.approximates == "relu"  # type: ignore[union-attr]


def test_classes_that_even_the_highest_degree_changes_are_counted() -> None:
    """A sawtooth of 62 kinks, whose sign is the class: far finer than polynomials of that degree."""
    kinks = np.linspace(-1, 1, 63)
    slopes = np.array([1.0, *(2.0 * (-1.0) ** k for k in range(1, 63))])
    graph = Graph(
        (1,),
        (
            Node("first", Dense(np.ones((63, 1)), -kinks)),
            Node("act", Activation("relu"), (0,)),
            Node("last", Dense(slopes[None], -(kinks[1] - kinks[0]) / 2), (1,)),
        ),
    )
    x = np.random.default_rng(0).uniform(-1, 1, (64, 1))
    with pytest.warns(UserWarning, match=r"63 change the class of \d+ of 64 samples, expected at most 0"):
        replacement.replace(graph, x, budget=1e9)


def test_a_network_without_activations_stays_as_it_is() -> None:
    graph = Graph((4,), (Node("dense", Dense(np.ones((1, 4)))),))
    assert replacement.replace(graph, SAMPLES[:1]) is graph


def test_polynomials_of_the_network_keep_their_values() -> None:
    cubic = Polynomial.from_monomials([1, 0, -2, 1])
    replaced = replacement.replace(Graph((4,), (Node("cubic", cubic),)), SAMPLES)
    np.testing.assert_allclose(replaced(SAMPLES), cubic(SAMPLES), rtol=0, atol=1e-9)
    assert replaced.nodes[0].layer.interval[1] > SAMPLES.max()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (SAMPLES[:31], "31 samples given, expected at least 32 to fit the range of act"),
        (np.full((40, 4), np.nan), "NaN or infinity"),
    ],
    ids=["few", "nan"],
)
def test_bad_samples_are_refused(samples: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replacement.replace(perceptron("relu"), samples)


def test_a_budget_out_of_reach_says_what_is_reached() -> None:
    with pytest.raises(
        ValueError, match=r"degree 63 in place of act and others .* 0\.\d+, expected at most 1e-09"
    ):
        replacement.replace(perceptron("relu"), SAMPLES, budget=1e-9)
