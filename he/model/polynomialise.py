"""polynomialise(): a torch network whose activations are polynomials that can be trained further."""

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from he.model import agreement, replacement
from he.model.activation import MARGIN
from he.model.builder import Builder
from he.model.graph import Graph
from he.model.layers import Scale
from he.model.nonlinear import Activation, Polynomial
from he.model.torch import recognises, translated
from he.model.torch_trace import trace


def polynomialise(net: Any, samples: ArrayLike, *, degree: int | None = None, margin: float = MARGIN) -> Any:
    """A copy of a torch module in which `he.compile`'s polynomials stand for the activations.

    It is a torch.fx.GraphModule with the parameters of `net` under their names, in its dtype and mode, and
    polynomial_0, polynomial_1, ... whose Chebyshev coefficients (degree + 1,) are parameters too; dropout
    that is called as a function is gone. Train it as any module; `he.compile` takes its polynomials as they
    are. samples (count, *input shape): at least 32. degree: of all polynomials, by default the least that
    keep the samples' classes. margin: of the samples' range, added on both sides.
    TypeError and ValueError as from `he.compile`; ValueError too if there is no activation.
    """
    if not recognises(net):
        raise TypeError(f"{type(net).__name__} given, expected a torch module")
    x = agreement.checked(samples)
    found, graph = translated(net, agreement.few(x, x.shape[1:]))
    graph = agreement.without_last_sigmoid(graph)
    if not any(isinstance(node.layer, Activation) for node in graph.nodes):
        raise ValueError(
            f"{type(net).__name__} has no activation, expected one that a polynomial can replace"
        )
    replaced = replacement.replace(graph, x, degree=degree, margin=margin)
    traced = trace(copy.deepcopy(net).eval())
    places = {node.name: place for node, place in found.places.items()}
    _put_in(traced, places, _Polynomials(found.builder, found.output, replaced))
    return traced.train(net.training)


class _Polynomials:
    """Which polynomial stands for which of the builder's values."""

    def __init__(self, builder: Builder, output: int, replaced: Graph) -> None:
        self.builder = builder
        pairs = zip(builder.kept(output), replaced.nodes, strict=False)  # without a last sigmoid
        self.at = {
            place: node.layer
            for place, node in pairs
            if isinstance(node.layer, Polynomial) and isinstance(builder.layer_of(place), Activation)
        }

    def of(self, place: int) -> tuple[Polynomial, int] | None:
        """(polynomial, value it takes) that give the value at `place`, None if none do."""
        if place in self.at:
            return self.at[place], self.builder.inputs_of(place)[0]
        inner = next(iter(self.builder.inputs_of(place)), place)
        if not isinstance(self.builder.layer_of(place), Scale) or inner not in self.at:
            return None
        (before,) = self.builder.inputs_of(inner)
        inside = self.builder.layer_of(before)
        if self.at[inner].approximates != "softplus" or not isinstance(inside, Scale):
            return None
        return _unscaled(self.at[inner], float(inside.factor)), self.builder.inputs_of(before)[0]


def _unscaled(polynomial: Polynomial, beta: float) -> Polynomial:
    """p(beta x) / beta, as torch's softplus has its beta."""
    a, b = np.sort(np.array(polynomial.interval) / beta)
    turned = polynomial.coefficients * (1.0 if beta > 0 else (-1.0) ** np.arange(polynomial.degree + 1))
    return Polynomial(turned / beta, (float(a), float(b)), polynomial.approximates)


def _put_in(traced: Any, places: dict[str, int], polynomials: _Polynomials) -> None:
    """Trainable modules in place of the steps that give a polynomial's value."""
    done = set[int]()
    for node in list(traced.graph.nodes):
        place = places.get(node.name)
        if place is None or place in done:
            continue
        done.add(place)
        found = polynomials.of(place)
        if found is not None:
            polynomial, taken = found
            source = next(n for n in node.all_input_nodes if places.get(n.name) == taken)
            _replace(traced, node, source, polynomial)
    traced.graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()
    traced.graph.lint()
    traced.recompile()


def _replace(traced: Any, node: Any, source: Any, polynomial: Polynomial) -> None:
    import torch

    from he.model.trainable import Trainable

    parameter = next(traced.parameters(), torch.zeros(()))
    count = sum(isinstance(module, Trainable) for module in traced.children())
    name = f"polynomial_{count}"
    traced.add_submodule(name, Trainable(polynomial, parameter.dtype).to(parameter.device))
    with traced.graph.inserting_before(node):
        new = traced.graph.call_module(name, (source,))
    node.replace_all_uses_with(new)
    traced.graph.erase_node(node)
