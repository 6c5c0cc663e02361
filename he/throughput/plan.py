"""ThroughputPlan: levels, scales and sizes of a network in the throughput layout. No weights, no keys."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from he.ckks import frame, wire
from he.ckks.params import CkksParams, CkksSpec
from he.model import ranges
from he.model.blocks import Block
from he.model.graph import INPUT, short_name
from he.model.nonlinear import Power, Square
from he.model.ranges import Ranges

LARGEST_FEATURES = 1 << 20
LARGEST_BLOCKS = 1000
LONGEST_NAME = 200
LAYOUT = "throughput"


ACTIVATIONS = ("none", "square", "polynomial")
LARGEST_DEGREE = 1 << 12


class BlockShape(NamedTuple):
    """All that a plan knows about a block. terms: weights that are not zero; degree: of its activation."""

    name: str
    sources: tuple[int, ...]
    outputs: int
    terms: int
    activation: str
    degree: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One block: sums at `level` to be read at product_scale, rescaled to (level - 1, sum_scale), activated
    to (out_level, out_scale).
    """

    shape: BlockShape
    level: int
    product_scale: float
    sum_scale: float
    out_level: int
    out_scale: float


@dataclass(frozen=True, repr=False)
class ThroughputPlan:
    """Steps, derived from checked parameters and the shapes of the blocks by `make` and in no other way."""

    params: CkksParams
    features: int
    shapes: tuple[BlockShape, ...]
    steps: tuple[Step, ...]
    ranges: Ranges = ()

    @classmethod
    def make(cls, spec: CkksSpec, features: int, shapes: Sequence[BlockShape]) -> Self:
        """Plan the blocks in a ring; ValueError if it has too few levels for them."""
        shapes = tuple(shapes)
        _check_shapes(features, shapes)
        params, needed = CkksParams.from_spec(spec), depth(shapes)
        if needed > params.top_level:
            deepest = max(shapes, key=lambda s: s.degree).name
            raise ValueError(
                f"the network needs {needed} levels ({deepest} most of them), expected at most "
                f"{params.top_level}"
            )
        return cls(params, features, shapes, tuple(_steps(params, shapes, needed)))

    @property
    def outputs(self) -> int:
        """Scores of one sample."""
        return self.shapes[-1].outputs

    @property
    def samples(self) -> int:
        """Samples side by side in the slots."""
        return self.params.slots

    @property
    def rotations(self) -> tuple[int, ...]:
        """Rotations that need a key: none."""
        return ()

    @property
    def input_level(self) -> int:
        """Level of a fresh input."""
        return depth(self.shapes)

    @property
    def input_scale(self) -> float:
        """Scale of a fresh input."""
        return self.params.scale

    @property
    def largest_score(self) -> float:
        """Scores of this absolute value or more wrap round modulo q_0 and come out wrong."""
        return self.params.moduli[0] / (2 * self.steps[-1].out_scale)

    @property
    def request_bytes(self) -> int:
        """Bytes of a full batch on its way to the server (engine native), half of each ciphertext a seed."""
        return self.features * (wire.ciphertext_bytes(self.params, self.input_level, seeded=True) + 8)

    @property
    def response_bytes(self) -> int:
        """Bytes of the scores of a full batch on their way back (engine native)."""
        return self.outputs * (wire.ciphertext_bytes(self.params, self.steps[-1].out_level) + 8)

    @property
    def evaluation_key_bytes(self) -> int:
        """Bytes of the one key that the server needs (engine native): for products of ciphertexts."""
        return wire.evaluation_keys_bytes(self.params, ())

    @property
    def memory_bytes(self) -> int:
        """Bytes of the ciphertexts that a server holds at once for one batch, at most (engine native)."""
        return max(_held(self, place) for place in range(len(self.steps))) * 16 * self.params.n

    @cached_property
    def id(self) -> bytes:
        """16 bytes that name this plan and its parameters."""
        return hashlib.sha256(b"latticework/throughput/1" + self.params.id + self.content()).digest()[:16]

    def to_bytes(self) -> bytes:
        """The plan without what can be derived again."""
        return frame.seal(frame.Kind.PLAN, "", bytes(16), self.content())

    def content(self) -> bytes:
        """The spec and the shapes as JSON."""
        shapes = [list(shape) for shape in self.shapes]
        content: dict[str, object] = {"layout": LAYOUT, "spec": asdict(self.params.spec)}
        content |= {"features": self.features, "blocks": shapes, "ranges": self.ranges}
        return json.dumps(content, sort_keys=True).encode()

    @classmethod
    def from_content(cls, content: object, *, insecure: bool = False) -> Self:
        """A plan from the decoded JSON of `content`, derived and checked anew; ValueError if it is none."""
        names = ["blocks", "features", "layout", "ranges", "spec"]
        if not isinstance(content, dict) or sorted(content) != names or content["layout"] != LAYOUT:
            raise ValueError(f"the plan's body is {content!r:.200}, expected {names} of layout {LAYOUT!r}")
        spec = CkksSpec.from_fields(content["spec"], insecure=insecure)
        plan = cls.make(spec, content["features"], _parsed(content["blocks"]))
        return replace(plan, ranges=ranges.checked(content["ranges"], plan.features))

    def spread(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Samples (count, features) side by side in slots, one ciphertext a feature: (features, slots)."""
        out = np.zeros((self.features, self.samples))
        out[:, : len(rows)] = rows.T
        return out

    def gather(self, slots: Sequence[NDArray[np.float64]], count: int) -> NDArray[np.float64]:
        """The scores (count, outputs) in the slots of the result's ciphertexts, (outputs, slots)."""
        return np.stack([values[:count] for values in slots], axis=1)

    def __str__(self) -> str:
        mb = 1e-6
        head = (
            f"{self.params!r}\nthroughput layout: {self.samples} samples a batch, one feature a ciphertext; "
            f"{self.features} features, {self.outputs} scores\n"
            f"keys {mb * self.evaluation_key_bytes:.1f} MB, input {mb * self.request_bytes:.0f} MB a batch "
            f"({self.request_bytes / self.samples / 1e3:.1f} kB a sample), scores "
            f"{mb * self.response_bytes:.1f} MB, memory {mb * self.memory_bytes:.0f} MB"
        )
        row = "{:<34} {:>6} {:>11} {:>10}  {}".format
        title = row("block", "levels", "log2(scale)", "products", "activations")
        return "\n".join([head, title, *(_line(row, step) for step in self.steps)])

    def __repr__(self) -> str:
        size = f"{len(self.steps)} blocks, {self.features} -> {self.outputs}, {self.samples} samples a batch"
        return f"ThroughputPlan({self.params!r}, {size})"


def shapes_of(blocks: Sequence[Block]) -> tuple[BlockShape, ...]:
    """The shapes of blocks."""
    return tuple(
        BlockShape(
            b.name[:LONGEST_NAME], b.sources, b.matrix.shape[0], int(b.matrix.nnz), *_kind(b.activation)
        )
        for b in blocks
    )


def _kind(activation: Power | None) -> tuple[str, int]:
    if activation is None:
        return "none", 1
    if isinstance(activation, Square):
        return "square", 2
    return "polynomial", activation.degree


def depth(shapes: Sequence[BlockShape]) -> int:
    """Levels that the network takes from its input to its scores."""
    return _consumed(shapes)[-1]


def _consumed(shapes: Sequence[BlockShape]) -> list[int]:
    """Levels between the input and each block's value: one for its sums, the rest for its activation."""
    used = list[int]()
    for shape in shapes:
        before = max(0 if s == INPUT else used[s] for s in shape.sources)
        used.append(before + 1 + _activation_levels(shape))
    return used


def _activation_levels(shape: BlockShape) -> int:
    """A square takes one, a polynomial in the Chebyshev basis ceil(log2(degree + 1))."""
    if shape.activation == "polynomial":
        return shape.degree.bit_length()
    return 1 if shape.activation == "square" else 0


def _steps(params: CkksParams, shapes: tuple[BlockShape, ...], top: int) -> list[Step]:
    """Every value comes out at the scale of the input: squares get the root of what the rescaling takes.

    Polynomials take their argument at that scale too, and the sums are mapped to [-1, 1] for them.
    """
    steps = []
    for shape, used in zip(shapes, _consumed(shapes), strict=True):
        out_level = top - used
        level = out_level + 1 + _activation_levels(shape)
        scale = params.scale
        if shape.activation == "square":
            scale = math.sqrt(params.scale * params.moduli[level - 1])
        product_scale = scale * params.moduli[level]
        scale = product_scale / params.moduli[level]  # as the engines will track it
        out_scale = scale * scale / params.moduli[level - 1] if shape.activation == "square" else scale
        steps.append(
            Step(
                shape=shape,
                level=level,
                product_scale=product_scale,
                sum_scale=scale,
                out_level=out_level,
                out_scale=out_scale,
            )
        )
    return steps


def _held(plan: ThroughputPlan, place: int) -> int:
    """Residue polynomials that step `place` holds, its results included, in pairs."""
    later = {s for shape in plan.shapes[place:] for s in shape.sources}
    held = plan.features * (plan.input_level + 1) if INPUT in later else 0
    for earlier in range(place + 1):
        if earlier in later or earlier == place:
            held += plan.shapes[earlier].outputs * (plan.steps[earlier].out_level + 1)
    return held


def _line(row: Callable[..., str], step: Step) -> str:
    shape = step.shape
    kind = f"{shape.activation} {shape.degree}" if shape.activation == "polynomial" else shape.activation
    activation = "" if shape.activation == "none" else f"{shape.outputs} x {kind}"
    levels = f"{step.level}-{step.out_level}"
    log_scale = f"{math.log2(step.sum_scale):.2f}"
    return row(short_name(shape.name, 34), levels, log_scale, shape.terms, activation).rstrip()


def _check_shapes(features: int, shapes: tuple[BlockShape, ...]) -> None:
    _expect("features", features, LARGEST_FEATURES)
    if not 1 <= len(shapes) <= LARGEST_BLOCKS:
        raise ValueError(f"{len(shapes)} blocks given, expected 1 to {LARGEST_BLOCKS}")
    for place, shape in enumerate(shapes):
        if type(shape.name) is not str or len(shape.name) > LONGEST_NAME:
            raise ValueError(
                f"the name of block {place} is {shape.name!r:.200}, expected at most {LONGEST_NAME} letters"
            )
        if not shape.sources or not all(type(s) is int and INPUT <= s < place for s in shape.sources):
            raise ValueError(
                f"block {place} takes {shape.sources!r:.200}, expected earlier blocks or the input"
            )
        widths = sum(features if s == INPUT else shapes[s].outputs for s in shape.sources)
        _expect(f"outputs of block {place}", shape.outputs, LARGEST_FEATURES)
        _expect(f"terms of block {place}", shape.terms, shape.outputs * widths)
        if shape.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation of block {place} is {shape.activation!r:.50}, expected {ACTIVATIONS}"
            )
        _expect(f"degree of block {place}", shape.degree, LARGEST_DEGREE)


def _expect(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name}: {value!r:.200} given, expected 1 to {most}")


def _parsed(blocks: object) -> list[BlockShape]:
    if not isinstance(blocks, list) or not all(
        isinstance(b, list) and len(b) == 6 and isinstance(b[1], list) for b in blocks
    ):
        raise ValueError(
            f"the plan's blocks are {blocks!r:.200}, expected [name, sources, outputs, ...] each"
        )
    return [BlockShape(b[0], tuple(b[1]), *b[2:]) for b in blocks]
