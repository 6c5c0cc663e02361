"""Fewer rotation keys for more time: the layouts of a plan with other baby steps and giant steps.

A map of d diagonals takes b baby steps and g giant steps with b g >= d, and a key for each. Time is least
where b and g balance what the two cost; b + g, and so the keys, may be least elsewhere.
"""

from collections.abc import Sequence

from he.ckks import wire
from he.latency.arrange import parts, splits
from he.latency.cost import Costs, LevelCosts, forecast, map_ms
from he.latency.layout import Layout
from he.latency.plan import Plan
from he.latency.transform import Rotations
from he.model.blocks import Block

PRICES = tuple(2.0**k for k in range(-3, 8))
"""Of all keys as multiples of the plan's time: from what changes little to fewest keys."""
Splits = list[list[list[Rotations]]]
"""By block and by its sources."""


def all_splits(plan: Plan, blocks: Sequence[Block]) -> Splits:
    """Every way to split the rotations of each map of the plan into baby steps and giant steps."""
    found: Splits = []
    for shape, block in zip(plan.shapes, blocks, strict=True):
        layouts = [plan.layout(source) for source in shape.sources]
        maps = zip(parts(block, layouts), layouts, shape.transforms, strict=True)
        found.append([list(splits(part, at, shape.layout, plan.width, t.fold)) for part, at, t in maps])
    return found


def traded(plan: Plan, choices: Splits, costs: Costs) -> list[Plan]:
    """Plans of the same parameters and layouts with fewer and fewer bytes of keys, each the fastest with
    so few: the given one, which has forecasts, first.
    """
    rate = plan.total_ms / plan.evaluation_key_bytes
    others = [_with_price(plan, choices, costs, price * rate) for price in PRICES]
    front = [plan]
    for other in sorted(others, key=lambda p: (p.total_ms, p.evaluation_key_bytes)):
        if other.evaluation_key_bytes < front[-1].evaluation_key_bytes:
            front.append(other)
    return front


def _with_price(plan: Plan, choices: Splits, costs: Costs, ms_per_byte: float) -> Plan:
    """The plan whose maps are the best ones where each byte of a key costs so much time as well."""
    without = wire.evaluation_keys_bytes(plan.params, [])
    shapes = []
    for step, options in zip(plan.steps, choices, strict=True):
        prices = LevelCosts.of(plan.params, step.level, costs)
        key_ms = ms_per_byte * (wire.evaluation_keys_bytes(plan.params, [step.level]) - without)
        best = [
            _cheapest(ways, plan.layout(source), plan.width, prices, key_ms)
            for source, ways in zip(step.shape.sources, options, strict=True)
        ]
        shapes.append(step.shape._replace(transforms=tuple(best)))
    other = Plan.make(plan.params.spec, plan.width, plan.input_layout, shapes, plan.last_bits)
    return forecast(other, costs)


def _cheapest(
    ways: Sequence[Rotations], source: Layout, width: int, prices: LevelCosts, key_ms: float
) -> Rotations:
    def price(way: Rotations) -> float:
        return map_ms(way, source.ciphertexts(width), prices) + key_ms * len({*way.babies, *way.giants} - {0})

    return min(ways, key=price)
