"""Traces of torch modules: torch.fx, with the names of the user's layers kept."""

from typing import Any

from he.model.refusals import Refused


def trace(module: Any) -> Any:
    """A GraphModule of `module`; layers of torch.nn and our polynomials stay whole, all else is opened."""
    from torch import fx

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:
            return is_polynomial(m) or super().is_leaf_module(m, module_qualified_name)

    if type(module).__module__.startswith("torch.nn") and not list(module.children()):
        from torch import nn

        module = nn.Sequential(module)
    tracer = Tracer()
    try:
        graph = tracer.trace(module)
    except Exception as problem:  # whatever the user's code raises when it meets a symbol for its input
        raise Refused(
            f"{type(module).__name__} cannot be traced ({problem}), expected a forward() without branches on "
            "values"
        ) from problem
    return fx.GraphModule(tracer.root, graph)


def is_polynomial(module: Any) -> bool:
    """Whether a module is one that `he.polynomialise` puts in."""
    return type(module).__module__ == "he.model.trainable"


def label(traced: Any, node: Any) -> str:
    """The name of a step for plans and errors: "features.0 (Conv2d)"."""
    if node.op == "call_module":
        return f"{node.target} ({type(traced.get_submodule(node.target)).__name__})"
    target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", node.target)
    return f"{node.name} ({target})"
