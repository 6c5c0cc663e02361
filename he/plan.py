"""Plan: the frozen list of steps that turns an encrypted input into encrypted scores. No weights, no keys.

Slots: the vectors of `width` entries of all samples lie interleaved, entry i of sample b in slot number
i * samples + b. Rotating by k * samples slots rotates each vector by k entries, wrapping round correctly.
Vectors are periodic: a vector of d entries is repeated with a period p, the next power of two, up to `width`.
"""

import hashlib
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self, TypeAlias, cast

from he.ckks import frame, linear
from he.ckks.params import CkksParams, CkksSpec

LARGEST_PLAN_BYTES = 1 << 20
LARGEST_WIDTH = 1 << 16

LayerKind: TypeAlias = Literal["dense", "square"]


class Shape(NamedTuple):
    """All that a plan knows about a layer."""

    kind: LayerKind
    inputs: int
    outputs: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """One layer: it takes a ciphertext of (level, scale) to (level - 1, out_scale).

    period, out_period: repetition of the vectors before and after. diagonals: plaintext products of a dense
    layer. rotations: those before the rescaling, in slots; sums: those after it that add partial sums up.
    """

    shape: Shape
    level: int
    scale: float
    out_scale: float
    period: int
    out_period: int
    diagonals: int = 0
    rotations: tuple[int, ...] = ()
    sums: tuple[int, ...] = ()


@dataclass(frozen=True, repr=False)
class Plan:
    """Steps, derived from checked parameters and the shapes of the layers by `make` and in no other way."""

    params: CkksParams
    shapes: tuple[Shape, ...]
    width: int
    steps: tuple[Step, ...]

    @classmethod
    def make(cls, spec: CkksSpec, shapes: Sequence[Shape]) -> Self:
        """Plan the layers in a ring; ValueError if it has too few slots or levels for them."""
        shapes = tuple(shapes)
        _check_shapes(shapes)
        params, wide = CkksParams.from_spec(spec), width(shapes)
        if wide > params.slots:
            raise ValueError(
                f"the widest layer takes {wide} slots, expected at most {params.slots} for {params}"
            )
        if len(shapes) > params.top_level:
            raise ValueError(f"{len(shapes)} layers need as many levels, expected at most {params.top_level}")
        return cls(params, shapes, wide, tuple(_steps(params, shapes, params.slots // wide)))

    @property
    def features(self) -> int:
        """Entries of an input vector."""
        return self.shapes[0].inputs

    @property
    def outputs(self) -> int:
        """Entries of a score vector."""
        return self.shapes[-1].outputs

    @property
    def samples(self) -> int:
        """Samples in one ciphertext."""
        return self.params.slots // self.width

    @property
    def input_level(self) -> int:
        """Level of a fresh input."""
        return self.steps[0].level

    @property
    def rotations(self) -> tuple[int, ...]:
        """All rotations that need a key, in slots."""
        return tuple(sorted({k for step in self.steps for k in step.rotations + step.sums}))

    @property
    def largest_score(self) -> float:
        """Scores of this absolute value or more wrap round modulo q_0 and come out wrong."""
        return self.params.moduli[0] / (2 * self.steps[-1].out_scale)

    @cached_property
    def id(self) -> bytes:
        """16 bytes that name this plan and its parameters."""
        return hashlib.sha256(b"latticework/plan/1" + self.params.id + self._content()).digest()[:16]

    def to_bytes(self) -> bytes:
        """The plan without what can be derived again."""
        return frame.seal(frame.Kind.PLAN, "", bytes(16), self._content())

    @classmethod
    def from_bytes(cls, data: bytes, *, insecure: bool = False) -> Self:
        """A plan from `to_bytes`, derived and checked anew; ValueError if it is none, or insecure unasked."""
        if len(data) > LARGEST_PLAN_BYTES:
            raise ValueError(f"{len(data)} bytes given, expected a plan of at most {LARGEST_PLAN_BYTES}")
        body = frame.unseal(data, frame.Kind.PLAN, "", bytes(16))
        return cls.make(*_parse(body, insecure))

    def _content(self) -> bytes:
        content = {"spec": asdict(self.params.spec), "layers": [list(shape) for shape in self.shapes]}
        return json.dumps(content, sort_keys=True).encode()

    def __str__(self) -> str:
        head = (
            f"{self.params!r}\n{self.features} features, {self.outputs} scores, {self.samples} samples a "
            f"ciphertext, {len(self.rotations)} rotation keys"
        )
        row = "{:<20} {:>5} {:>11} {:>9} {:>9}".format
        title = row("step", "level", "log2(scale)", "products", "rotations")
        return "\n".join([head, title, *(_line(row, step) for step in self.steps)])

    def __repr__(self) -> str:
        return f"Plan({self.params!r}, {len(self.steps)} steps, {self.features} -> {self.outputs})"


def period(entries: int) -> int:
    """The smallest power of two that is at least `entries`."""
    return 1 << (entries - 1).bit_length()


def width(shapes: Sequence[Shape]) -> int:
    """Slots that one sample takes: the largest period of any vector on the way."""
    return max(period(entries) for shape in shapes for entries in (shape.inputs, shape.outputs))


def _steps(params: CkksParams, shapes: tuple[Shape, ...], samples: int) -> list[Step]:
    steps, level, scale = [], len(shapes), params.scale
    for shape in shapes:
        step = _step(shape, level, scale, params, samples)
        steps.append(step)
        level, scale = level - 1, step.out_scale
    return steps


def _step(shape: Shape, level: int, scale: float, params: CkksParams, samples: int) -> Step:
    """A square leaves scale^2 / q; a dense layer's weights are encoded so that it leaves the fresh scale."""
    before, after = period(shape.inputs), period(shape.outputs)
    common: dict[str, Any] = {"shape": shape, "level": level, "scale": scale, "period": before}
    if shape.kind == "square":
        return Step(**common, out_scale=scale * scale / params.moduli[level], out_period=before)
    diagonals = min(before, after)
    sums = [samples << i for i in range(diagonals.bit_length() - 1, before.bit_length() - 1)]
    return Step(
        **common,
        out_scale=params.scale,
        out_period=after,
        diagonals=diagonals,
        rotations=linear.rotations(diagonals, samples),
        sums=tuple(sums),
    )


def _line(row: Any, step: Step) -> str:
    name = f"{step.shape.kind} {step.shape.inputs} -> {step.shape.outputs}"
    products = step.diagonals or 1
    scale = f"{math.log2(step.scale):.2f}"
    return cast(str, row(name, step.level, scale, products, len(step.rotations) + len(step.sums))).rstrip()


def _check_shapes(shapes: tuple[Shape, ...]) -> None:
    if not shapes:
        raise ValueError("0 layers given, expected at least one")
    for kind, inputs, outputs in shapes:
        if kind not in ("dense", "square"):
            raise ValueError(f"layer kind is {kind!r}, expected 'dense' or 'square'")
        if not all(type(d) is int and 1 <= d <= LARGEST_WIDTH for d in (inputs, outputs)):
            raise ValueError(f"layer of {inputs} -> {outputs}, expected 1 to {LARGEST_WIDTH} entries")
        if kind == "square" and inputs != outputs:
            raise ValueError(f"square layer of {inputs} -> {outputs}, expected equal numbers")
    for before, after in itertools.pairwise(shapes):
        if before.outputs != after.inputs:
            raise ValueError(
                f"a layer takes {after.inputs} inputs, expected {before.outputs} from the one before"
            )


def _parse(body: memoryview, insecure: bool) -> tuple[CkksSpec, list[Shape]]:
    """Spec and shapes out of JSON; their values are checked where they are used."""
    content = frame.from_json(body)
    if not isinstance(content, dict) or sorted(content) != ["layers", "spec"]:
        raise ValueError(f"the plan's body is {content!r:.200}, expected layers and spec")
    layers = content["layers"]
    if not isinstance(layers, list) or not all(isinstance(s, list) and len(s) == 3 for s in layers):
        raise ValueError(f"the plan's layers are {layers!r:.200}, expected [kind, inputs, outputs] each")
    return CkksSpec.from_fields(content["spec"], insecure=insecure), [Shape(*layer) for layer in layers]
