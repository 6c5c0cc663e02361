"""A network as blocks: a sparse matrix and a bias on the features of earlier values, then an activation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from he.model.convolution import Floats, Shape
from he.model.graph import INPUT, Graph
from he.model.matrices import Sparse, matrices
from he.model.nonlinear import Activation, Polynomial, Power, Square


@dataclass(frozen=True, eq=False, repr=False)
class Block:
    """sources: the values it takes, INPUT or the place of an earlier block, their features one after another.

    matrix: SciPy's csr_array (outputs, features of all sources); bias (outputs,). activation: entry by entry,
    None for none. name: as in the user's model. shape: of one sample's outputs, as the layout wants to know.
    """

    name: str
    sources: tuple[int, ...]
    matrix: Sparse
    bias: Floats
    activation: Power | None
    shape: Shape

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """The block in the clear: the features of its sources (batch, features) -> (batch, outputs)."""
        out = np.asarray(self.matrix @ x.T).T + self.bias
        return out if self.activation is None else self.activation(out)

    def __repr__(self) -> str:
        return f"Block({self.name}, {self.matrix.shape[1]} -> {self.matrix.shape[0]})"


def of_graph(graph: Graph) -> tuple[Block, ...]:
    """One block for each activation, with all linear layers before it in its matrix; the scores come last.

    ValueError for an activation that no polynomial stands in for, and for scores that are constant.
    """
    values: list[_Affine] = []
    blocks: list[Block] = []
    for place, node in enumerate(graph.nodes):
        given = [_input(graph) if s == INPUT else values[s] for s in node.inputs]
        if isinstance(node.layer, Activation):
            raise ValueError(
                f"{node.name} is {node.layer.kind}, expected a polynomial in its place: he.compile fits one "
                "on samples"
            )
        if isinstance(node.layer, Square | Polynomial):
            blocks.append(_block(node.name, given[0], node.layer, graph.shapes[place]))
            values.append(_Affine.identity(len(blocks) - 1, len(given[0].bias)))
            continue
        shapes = [graph.input_shape if s == INPUT else graph.shapes[s] for s in node.inputs]
        values.append(_combined(matrices(node.layer, *shapes), given, node.name))
        if place == len(graph.nodes) - 1:
            blocks.append(_block(node.name, values[-1], None, graph.shapes[place]))
    return without_constants(blocks)


def clear(blocks: Sequence[Block], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The network itself on samples (count, features), in float64: scores (count, outputs)."""
    values = [rows]
    for block in blocks:
        values.append(block(np.concatenate([values[s + 1] for s in block.sources], axis=1)))
    return values[-1]


@dataclass(frozen=True, eq=False)
class _Affine:
    """sum_s parts[s] value_s + bias over sources s; names: of the layers in it."""

    parts: dict[int, Sparse]
    bias: Floats
    names: tuple[str, ...] = ()

    @classmethod
    def identity(cls, source: int, size: int) -> Self:
        from scipy import sparse

        return cls({source: sparse.csr_array(sparse.eye_array(size))}, np.zeros(size))


def _input(graph: Graph) -> _Affine:
    return _Affine.identity(INPUT, int(np.prod(graph.input_shape)))


def _combined(layer: tuple[list[Sparse], Floats], given: Sequence[_Affine], name: str) -> _Affine:
    parts: dict[int, Sparse] = {}
    bias = layer[1]
    for matrix, x in zip(layer[0], given, strict=True):
        bias = bias + matrix @ x.bias
        for source, part in x.parts.items():
            product = matrix @ part
            parts[source] = parts[source] + product if source in parts else product
    return _Affine(parts, bias, (*(n for x in given for n in x.names), name))


def _block(name: str, x: _Affine, activation: Power | None, shape: Shape) -> Block:
    """Its name: of the first layer and the last one in it."""
    from scipy import sparse

    names = [*x.names, name] if activation is not None else list(x.names)
    label = names[0] if len(names) == 1 else f"{names[0]} .. {names[-1]}"
    matrix = sparse.csr_array(sparse.hstack(list(x.parts.values())))
    return Block(label, tuple(x.parts), matrix, x.bias, activation, shape)


def without_constants(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The same network without features that do not depend on its input: they go into later biases.

    ValueError if a score is one of them.
    """
    kept, constants = list(blocks), dict[int, NDArray[np.float64]]()
    for place, block in enumerate(blocks):
        block = _absorbed(block, blocks, constants)
        dead = np.diff(block.matrix.indptr) == 0
        if dead.any() and place == len(blocks) - 1:
            raise ValueError(
                f"score {int(np.argmax(dead))} does not depend on the input, expected one that does"
            )
        value = block.bias if block.activation is None else block.activation(block.bias)
        constants[place] = np.where(dead, value, np.nan)
        shape = block.shape if not dead.any() else (int((~dead).sum()),)
        kept[place] = replace(block, matrix=block.matrix[~dead], bias=block.bias[~dead], shape=shape)
    return tuple(kept)


def _absorbed(block: Block, blocks: Sequence[Block], constants: dict[int, NDArray[np.float64]]) -> Block:
    """The block without the columns of constant features, and without zero weights."""
    values = [
        constants[s] if s != INPUT else np.full(_input_width(block, blocks), np.nan) for s in block.sources
    ]
    fixed = np.concatenate(values)
    known = ~np.isnan(fixed)
    matrix = block.matrix.tocsc()
    bias = block.bias + matrix[:, known] @ fixed[known]
    matrix = matrix[:, ~known].tocsr()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return replace(block, matrix=matrix, bias=np.asarray(bias))


def _input_width(block: Block, blocks: Sequence[Block]) -> int:
    others = sum(blocks[s].matrix.shape[0] for s in block.sources if s != INPUT)
    return int((block.matrix.shape[1] - others) // block.sources.count(INPUT))
