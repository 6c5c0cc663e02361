"""Plan: levels, scales, layouts and rotations of a network in the latency layout. No weights, no keys.

A client needs it to make keys and to encrypt. From bytes it is derived and checked anew: what stands in them
is the parameters, the layouts and which rotations take place.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from he.ckks import frame, poly, wire
from he.ckks.params import CkksParams, CkksSpec
from he.latency import layout
from he.latency.layout import Layout
from he.latency.parse import parsed
from he.latency.transform import Rotations
from he.model import ranges
from he.model.graph import INPUT, short_name
from he.model.ranges import Ranges

LARGEST_PLAN_BYTES = 1 << 22
LAYOUT = "latency"
MOST_LINES = 30


class Shape(NamedTuple):
    """All that a plan knows about a block: one transform for each source, and where the sums come to lie.

    degree: of the activation, 1 for none. square: whether it is x^2 and nothing else.
    """

    name: str
    sources: tuple[int, ...]
    degree: int
    square: bool
    layout: Layout
    transforms: tuple[Rotations, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One block: sums at `level`, rescaled to (level - 1, sum_scale), activated to (out_level, out_scale)."""

    shape: Shape
    level: int
    sum_scale: float
    out_level: int
    out_scale: float


class Forecast(NamedTuple):
    """Of one step: milliseconds on one thread; bits behind the point that its values keep on the samples, by
    the bound, if there were samples.
    """

    ms: float
    precision: float | None = None


@dataclass(frozen=True, repr=False)
class Plan:
    """Steps, derived from checked parameters and the shapes of the blocks by `make` and in no other way.

    width: places of one sample in a ciphertext; the other slots hold other samples. last_bits: log2 of the
    scale of the scores. ranges: of the inputs that activations were fitted on. forecasts: of each step, by
    whoever compiled it; trade: (bytes, milliseconds) of the same with fewer keys. These do not travel.
    """

    params: CkksParams
    width: int
    input_layout: Layout
    shapes: tuple[Shape, ...]
    last_bits: int
    steps: tuple[Step, ...]
    ranges: Ranges = ()
    forecasts: tuple[Forecast, ...] = field(default=(), compare=False)
    trade: tuple[tuple[int, float], ...] = field(default=(), compare=False)

    @classmethod
    def make(
        cls,
        spec: CkksSpec,
        width: int,
        input_layout: Layout,
        shapes: Sequence[Shape],
        last_bits: int | None = None,
    ) -> Self:
        """Plan the blocks in a ring; ValueError if it has too few slots or levels for them.

        last_bits: log2 of the scale of the scores, by default the scale's.
        """
        shapes, params, needed = tuple(shapes), CkksParams.from_spec(spec), depth(shapes)
        if width > params.slots:
            raise ValueError(f"a sample takes {width} slots, expected at most {params.slots} for {params}")
        if needed > params.top_level:
            raise ValueError(too_deep(shapes, params.top_level))
        last = spec.scale_bits if last_bits is None else last_bits
        if not 1 <= last <= spec.scale_bits:
            raise ValueError(f"last_bits is {last}, expected 1 to {spec.scale_bits}, those of the scale")
        return cls(params, width, input_layout, shapes, last, tuple(_steps(params, shapes, needed, last)))

    @property
    def features(self) -> int:
        """Entries of an input."""
        return self.input_layout.features

    @property
    def outputs(self) -> int:
        """Scores of one sample."""
        return self.shapes[-1].layout.features

    @property
    def samples(self) -> int:
        """Samples in one ciphertext."""
        return self.params.slots // self.width

    @property
    def input_level(self) -> int:
        """Level of a fresh input."""
        return depth(self.shapes)

    @cached_property
    def rotations(self) -> Mapping[int, int]:
        """All rotations that need a key, in slots, and the highest level at which each takes place."""
        levels = dict[int, int]()
        for step in self.steps:
            for transform in step.shape.transforms:
                for k in (*transform.babies, *transform.giants):
                    levels[k] = max(step.level, levels.get(k, 0))
                for k in transform.sums:
                    levels[k] = max(step.level - 1, levels.get(k, 0))
        slots = dict[int, int]()
        for k, level in levels.items():
            steps = k * self.samples % self.params.slots
            slots[steps] = max(level, slots.get(steps, 0))
        slots.pop(0, None)
        return dict(sorted(slots.items()))

    @property
    def total_ms(self) -> float:
        """Estimated milliseconds of all blocks together on one thread; 0 without forecasts."""
        return sum(forecast.ms for forecast in self.forecasts)

    def layout(self, source: int) -> Layout:
        """Where the value of a block, or of the input, lies."""
        return self.input_layout if source == INPUT else self.shapes[source].layout

    @property
    def largest_score(self) -> float:
        """Scores of this absolute value or more wrap round modulo q_0 and come out wrong."""
        return self.params.moduli[0] / (2 * self.steps[-1].out_scale)

    @property
    def request_bytes(self) -> int:
        """Bytes of the ciphertexts of an input (engine native), half of each a seed."""
        size = wire.ciphertext_bytes(self.params, self.input_level, seeded=True) + frame.PART_LENGTH.size
        return self.input_layout.ciphertexts(self.width) * size

    @property
    def response_bytes(self) -> int:
        """Bytes of the ciphertexts of the scores (engine native)."""
        size = wire.ciphertext_bytes(self.params, self.steps[-1].out_level) + frame.PART_LENGTH.size
        return self.shapes[-1].layout.ciphertexts(self.width) * size

    @property
    def evaluation_key_bytes(self) -> int:
        """Bytes of all evaluation keys on the wire (engine native)."""
        return wire.evaluation_keys_bytes(self.params, self.rotations.values())

    @cached_property
    def id(self) -> bytes:
        """16 bytes that name this plan and its parameters."""
        return hashlib.sha256(b"latticework/plan/3" + self.params.id + self.content()).digest()[:16]

    def to_bytes(self) -> bytes:
        """The plan without what can be derived again."""
        return frame.seal(frame.Kind.PLAN, "", bytes(16), self.content())

    def content(self) -> bytes:
        """The spec, the layouts and the rotations as JSON."""
        content = {
            "layout": LAYOUT,
            "spec": asdict(self.params.spec),
            "width": self.width,
            "input": self.input_layout,
            "blocks": self.shapes,
            "last_bits": self.last_bits,
            "ranges": self.ranges,
        }
        return json.dumps(content, sort_keys=True).encode()

    @classmethod
    def from_content(cls, content: object, *, insecure: bool = False) -> Self:
        """A plan from the decoded JSON of `content`, derived and checked anew; ValueError if it is none."""
        names = ["blocks", "input", "last_bits", "layout", "ranges", "spec", "width"]
        if not isinstance(content, dict) or sorted(content) != names or content["layout"] != LAYOUT:
            raise ValueError(f"the plan's body is {content!r:.200}, expected {names} of layout {LAYOUT!r}")
        spec = CkksSpec.from_fields(content["spec"], insecure=insecure)
        width, source, blocks = parsed(content["width"], content["input"], content["blocks"])
        if type(content["last_bits"]) is not int:
            raise ValueError(f"last_bits is {content['last_bits']!r:.50}, expected a whole number")
        plan = cls.make(spec, width, source, [Shape(*block) for block in blocks], content["last_bits"])
        return replace(plan, ranges=ranges.checked(content["ranges"], plan.features))

    def spread(self, rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Samples (count, features) as the slots of the ciphertexts of one input."""
        return layout.spread(rows, self.input_layout, self.width, self.samples)

    def gather(self, slots: Sequence[NDArray[np.float64]], count: int) -> NDArray[np.float64]:
        """The scores (count, outputs) in the slots of the result's ciphertexts."""
        return layout.gather(list(slots), self.shapes[-1].layout, self.width, self.samples, count)

    def __str__(self) -> str:
        spec, params = self.params.spec, self.params
        digits = -(-len(params.moduli) // params.digit_primes)
        moduli = f"{spec.first_bits} + {spec.depth} x {spec.scale_bits}"
        safety = f"{params.security}-bit security" if params.security else "INSECURE"
        keys_mb, rotations = 1e-6 * self.evaluation_key_bytes, len(self.rotations)
        lines = [
            f"latency plan: {self.features} features -> {self.outputs} scores, {self.samples} samples a "
            "ciphertext" + (f", about {_ms(self.total_ms)} ms on one thread" if self.forecasts else ""),
            f"ring      N = 2^{spec.log_n}, {params.slots} slots, {safety} (log2(QP) = {params.log_qp:.0f})",
            f"moduli    {moduli} bits, {spec.special} x {spec.special_bits} special, {digits} digits",
            f"scale     2^{spec.scale_bits}, scores 2^{self.last_bits} and below {self.largest_score:.4g}",
            f"keys      {keys_mb:.1f} MB: relinearisation and {rotations} rotations",
            *([f"or        {_trade(self.trade)}"] if self.trade else []),
            f"messages  input {1e-3 * self.request_bytes:.0f} kB, scores {1e-3 * self.response_bytes:.0f} kB",
            "",
            _row("block", "packing", "levels", "products", "rotations", "activation", "ms", "bits"),
        ]
        forecasts = self.forecasts or (None,) * len(self.steps)
        table = [
            _line(step, self.width, forecast) for step, forecast in zip(self.steps, forecasts, strict=True)
        ]
        return "\n".join([*lines, *_shortened(table)])

    def __repr__(self) -> str:
        return f"Plan({self.params!r}, {len(self.steps)} blocks, {self.features} -> {self.outputs})"


def depth(shapes: Sequence[Shape]) -> int:
    """Levels that the network takes from its input to its scores."""
    return consumed(shapes)[-1]


def consumed(shapes: Sequence[Shape]) -> list[int]:
    """Levels between the input and each block's value: one for its sums, the rest for its activation."""
    used = list[int]()
    for shape in shapes:
        before = max(0 if s == INPUT else used[s] for s in shape.sources)
        used.append(before + 1 + activation_levels(shape))
    return used


def activation_levels(shape: Shape) -> int:
    """Levels that the activation takes."""
    return 0 if shape.degree == 1 else 1 if shape.square else poly.depth(shape.degree)


def too_deep(shapes: Sequence[Shape], given: int) -> str:
    """Why a ring with so many levels does not do, and which block is to blame."""
    used = consumed(shapes)
    deepest = max(shapes, key=activation_levels)
    first = next((s.name for s, u in zip(shapes, used, strict=True) if u > given), shapes[-1].name)
    return (
        f"the network needs {used[-1]} levels ({1 + activation_levels(deepest)} of them {deepest.name}), "
        f"expected at most {given}, which end in {first}: take lower degrees or fewer layers"
    )


def _steps(params: CkksParams, shapes: tuple[Shape, ...], top: int, last_bits: int) -> list[Step]:
    """Every value but the scores comes out at the scale of the input: squares get the root of what their
    rescaling takes.
    """
    steps = []
    for place, (shape, used) in enumerate(zip(shapes, consumed(shapes), strict=True)):
        out_level = top - used
        level = out_level + 1 + activation_levels(shape)
        scale = out_scale = params.scale if place < len(shapes) - 1 else 2.0**last_bits
        if shape.square:
            scale = math.sqrt(out_scale * params.moduli[level - 1])
            out_scale = scale * scale / params.moduli[level - 1]
        steps.append(
            Step(shape=shape, level=level, sum_scale=scale, out_level=out_level, out_scale=out_scale)
        )
    return steps


def _line(step: Step, width: int, forecast: Forecast | None) -> str:
    shape = step.shape
    products = sum(t.products for t in shape.transforms)
    rotations = sum(len({*t.babies, *t.giants} - {0}) for t in shape.transforms)
    added = sum(len(t.sums) for t in shape.transforms)
    activation = "" if shape.degree == 1 else "square" if shape.square else f"degree {shape.degree}"
    turned = f"{rotations} + {added}" if added else str(rotations)
    ms = "" if forecast is None else _ms(forecast.ms)
    bits = "" if forecast is None or forecast.precision is None else f"{forecast.precision:.1f}"
    levels = f"{step.level}-{step.out_level}"
    return _row(
        short_name(shape.name, 28),
        _packing(shape.layout, width),
        levels,
        products,
        turned,
        activation,
        ms,
        bits,
    )


def _row(*cells: object) -> str:
    return "{:<28} {:<18} {:>6} {:>8} {:>9}  {:<10} {:>6} {:>5}".format(*cells).rstrip()


def _packing(where: Layout, width: int) -> str:
    """The tensor, how far its columns stand apart, and how many ciphertexts it takes."""
    tensor = f"{where.channels}x{where.rows}x{where.columns}"
    if where.rows * where.columns == 1:
        tensor = str(where.channels)
    gap = f" /{where.gap[1]}" if where.gap[1] > 1 else ""
    count = where.ciphertexts(width)
    return f"{tensor}{gap}" + (f" in {count}" if count > 1 else "")


def _ms(ms: float) -> str:
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.1f}"


def _trade(trade: Sequence[tuple[int, float]]) -> str:
    """Up to four pairs of fewer keys and more time, the ends among them."""
    places = sorted({round(i * (len(trade) - 1) / 3) for i in range(4)})
    pairs = ", ".join(f"{1e-6 * trade[i][0]:.1f} MB in {_ms(trade[i][1])} ms" for i in places)
    return f"{pairs} (keys_bytes=)"


def _shortened(lines: list[str]) -> list[str]:
    """A table that fits a screen: of more than MOST_LINES the first and the last ones."""
    if len(lines) <= MOST_LINES:
        return lines
    half = MOST_LINES // 2
    return [*lines[:half], f"... {len(lines) - 2 * half} more ...", *lines[-half:]]
