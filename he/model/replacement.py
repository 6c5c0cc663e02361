"""Polynomials in a network: for each activation the least degree that keeps classes and scores."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as changed

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from he.model.activation import MARGIN, Method, fit, interval_of
from he.model.convolution import Floats
from he.model.graph import INPUT, Graph, Node
from he.model.nonlinear import Activation, Polynomial

DEGREES = (3, 7, 15, 31, 63)
"""The highest degrees of 2, 3, ... levels: between two of them a lower degree saves no level."""
BUDGET = 0.15
"""Root mean square error of the scores that polynomials may cause, relative to the scores' deviation."""
SINGLE_BUDGET = 0.1
"""The same where there is one score: it may be a value that is asked for, and not only its sign."""
EXACT = 0.03
"""An error so small that classes change only where the network itself is in doubt."""
CHANGED = 512
"""One of so many samples may change its class, and none of fewer."""
REFINED = 8
"""Up to so many activations each gets a degree of its own, at one more run over the samples for each."""
MIN_SAMPLES = 32
"""A new input lies outside the range of n others with probability at most 2 / (n + 1): here 6 % an entry."""


def replace(
    graph: Graph,
    samples: ArrayLike,
    *,
    degree: int | None = None,
    budget: float | None = None,
    margin: float = MARGIN,
    method: Method = "least squares",
) -> Graph:
    """The graph with a polynomial for each Activation, fitted on what samples (count, ...) give it.

    Each is fitted behind those before it. degree: of all of them; else the least of DEGREES that keep the
    error within `budget` and the samples' classes as they are, first of all activations together, then of
    each from the last to the first. Where even the highest changes classes, a warning says how many.
    Polynomials of the network itself keep their values and get the samples' interval. ValueError for fewer
    than MIN_SAMPLES samples, and if no degree stays within the budget.
    """
    kinds = [node for node in graph.nodes if isinstance(node.layer, Activation | Polynomial)]
    if not kinds:
        return graph
    x = np.asarray(samples, dtype=np.float64)
    if len(x) < MIN_SAMPLES:
        raise ValueError(
            f"{len(x)} samples given, expected at least {MIN_SAMPLES} to fit the range of {kinds[0].name}"
        )
    if not np.isfinite(x).all():
        raise ValueError("samples hold NaN or infinity, expected finite numbers")
    count = sum(isinstance(node.layer, Activation) for node in kinds)
    if degree is not None or count == 0:
        return _replaced(graph, x, [degree or 1] * count, margin, method).graph
    return _Search(graph, x, count, budget, margin, method).least()


def relative_error(scores: Floats, exact: Floats) -> float:
    """Root mean square of the difference, relative to the standard deviation of the exact scores."""
    spread = float(np.std(exact)) or 1.0
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.mean((scores - exact) ** 2))) / spread


def classes(scores: Floats) -> NDArray[np.intp]:
    """(count,) of scores (count, ...): the largest, or the sign of a single one."""
    rows = scores.reshape(len(scores), -1)
    return rows.argmax(axis=1) if rows.shape[1] > 1 else (rows[:, 0] > 0).astype(np.intp)


@dataclass(frozen=True, eq=False)
class _Attempt:
    """A graph with polynomials, and its scores on the samples."""

    graph: Graph
    scores: Floats


class _Search:
    """Degrees tried one after the other, against the network's own scores."""

    def __init__(
        self, graph: Graph, x: Floats, count: int, budget: float | None, margin: float, method: Method
    ) -> None:
        self.graph, self.x, self.count, self.margin, self.method = graph, x, count, margin, method
        self.exact = graph(x)
        self.classes = classes(self.exact)
        several = self.exact[0].size > 1
        self.budget = (BUDGET if several else SINGLE_BUDGET) if budget is None else budget

    def least(self) -> Graph:
        """The graph with the least degrees."""
        for degree in DEGREES:
            attempt = self.attempt([degree] * self.count)
            if self.good(attempt):
                return self.refined(degree, attempt)
        self.expect_within(attempt)
        warnings.warn(
            f"polynomials of degree {DEGREES[-1]} change the class of {self.changed(attempt)} of "
            f"{len(self.x)} samples, expected at most {len(self.x) // CHANGED}: train with he.polynomialise",
            stacklevel=5,
        )
        return attempt.graph

    def refined(self, degree: int, best: _Attempt) -> Graph:
        """Lower degrees of single activations, from the last to the first."""
        degrees = [degree] * self.count
        for place in reversed(range(self.count if 1 < self.count <= REFINED else 0)):
            for lower in DEGREES[: DEGREES.index(degree)]:
                attempt = self.attempt([*degrees[:place], lower, *degrees[place + 1 :]])
                if self.good(attempt):
                    degrees[place], best = lower, attempt
                    break
        return best.graph

    def attempt(self, degrees: Sequence[int]) -> _Attempt:
        return _replaced(self.graph, self.x, degrees, self.margin, self.method)

    def changed(self, attempt: _Attempt) -> int:
        """Samples whose class is another one."""
        return int(np.sum(classes(attempt.scores) != self.classes))

    def good(self, attempt: _Attempt) -> bool:
        """Whether errors stay within the budget and do not change classes, or are next to none."""
        error = relative_error(attempt.scores, self.exact)
        kept = self.changed(attempt) <= len(self.x) // CHANGED
        return error <= self.budget and (kept or error <= EXACT)

    def expect_within(self, attempt: _Attempt) -> None:
        error = relative_error(attempt.scores, self.exact)
        if not error <= self.budget:
            first, *others = [node.name for node in self.graph.nodes if isinstance(node.layer, Activation)]
            raise ValueError(
                f"polynomials of degree {DEGREES[-1]} in place of {first}{' and others' * bool(others)} "
                f"leave a relative error of scores of {error:.3g}, expected at most {self.budget}: take more "
                "samples, or train with he.polynomialise"
            )


def _replaced(graph: Graph, x: Floats, degrees: Sequence[int], margin: float, method: Method) -> _Attempt:
    values: list[Floats] = []
    nodes: list[Node] = []
    ahead = iter(degrees)
    for node in graph.nodes:
        given = [x if source == INPUT else values[source] for source in node.inputs]
        layer = node.layer
        if isinstance(layer, Activation):
            layer = fit(layer.kind, given[0], next(ahead), margin=margin, method=method)
        elif isinstance(layer, Polynomial) and not layer.approximates:
            layer = _moved(layer, interval_of(given[0], margin))
        nodes.append(changed(node, layer=layer))
        values.append(layer(*given))
    return _Attempt(Graph(graph.input_shape, tuple(nodes)), values[-1])


def _moved(polynomial: Polynomial, interval: tuple[float, float]) -> Polynomial:
    """The same polynomial with another interval."""
    a, b = interval

    def on_new(t: Floats) -> Floats:
        return polynomial((a + b) / 2 + (b - a) / 2 * t)

    return Polynomial(chebyshev.chebinterpolate(on_new, polynomial.degree), interval)
