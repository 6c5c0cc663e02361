"""Estimated times: what each operation of a plan does, counted, times what that takes on a machine.

A few rates describe a machine for a ring degree, on one thread: transforms, products with keys and with
weights (both come from memory, in four bytes a residue where its prime is small), and what a call costs
whatever it does. `he.latency.calibrate` measures them by the kernels themselves, once a machine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks.params import CkksParams
from he.engines import chebyshev
from he.kernels import IntegerMatrix
from he.latency.plan import Forecast, Plan, Shape, Step
from he.latency.transform import Rotations


@dataclass(frozen=True)
class Rates:
    """transform_ns: one butterfly of a transform inside a key switch; key_ns and product_ns: one multiply-add
    of residues with a key and with an encoded weight, of primes below 2^32; large_*: of others; call_us: each
    call.
    """

    transform_ns: float = 0.3
    key_ns: float = 0.3
    product_ns: float = 0.3
    large_key_ns: float = 0.5
    large_product_ns: float = 0.5
    call_us: float = 20.0


@dataclass(frozen=True)
class Costs:
    """Rates by log2 of the ring degree; those of the nearest one stand for others."""

    rates: Mapping[int, Rates] = field(default_factory=lambda: {13: Rates()})

    def at(self, log_n: int) -> Rates:
        """The rates in a ring of degree 2^log_n."""
        return self.rates[min(self.rates, key=lambda known: abs(known - log_n))]


@dataclass(frozen=True)
class LevelCosts:
    """Milliseconds of each operation of a block whose sums are taken at one level.

    decompose, baby, giant, product, finish: of a linear map there; switch: of adding up by a rotation, and
    multiply: of a product of ciphertexts, both one level below; scale: a product with a number.
    """

    decompose: float
    baby: float
    giant: float
    product: float
    finish: float
    switch: float
    multiply: float
    scale: float

    @classmethod
    def of(cls, params: CkksParams, level: int, costs: Costs) -> Self:
        """level: of the operands of the linear map, which ends one below it."""
        rates = costs.at(params.spec.log_n)
        ntt = 1e-6 * rates.transform_ns * params.n * math.log2(params.n) / 2
        primes = (*params.moduli[: level + 1], *params.special)
        large = sum(q >= kernels.FOUR_BYTES for q in primes)
        key = 1e-6 * (rates.large_key_ns if large else rates.key_ns) * params.n
        small_ns, large_ns = rates.product_ns * (len(primes) - large), rates.large_product_ns * large
        mul, call = 1e-6 * (small_ns + large_ns) / len(primes) * params.n, rates.call_us / 1e3

        def split(at: int) -> tuple[int, int, int]:
            """(limbs, limbs with those of P, digits) of a ciphertext at a level."""
            limbs = at + 1
            return limbs, limbs + len(params.special), -(-limbs // params.digit_primes)

        _, wide, digits = split(level)
        low, low_wide, low_digits = split(max(level - 1, 0))
        decompose, inner = digits * wide * ntt + call, 2 * digits * wide * key + call
        switch = (low_digits + 2) * low_wide * ntt + 2 * low_digits * low_wide * key + call
        return cls(
            decompose=decompose,
            baby=inner + 2 * wide * mul,  # its result goes to memory, and from there to the sums
            giant=wide * ntt + decompose + inner + 5 * wide * mul + 3 * call,
            product=2 * wide * mul,
            finish=2 * wide * ntt + 2 * call,
            switch=switch + 2 * low * mul + call,
            multiply=switch + 4 * low * mul + call,
            scale=4 * low * mul + 3 * call,
        )


def activation_ms(shape: Shape, params: CkksParams, level: int, costs: Costs) -> float:
    """Of one ciphertext whose sums end at `level`."""
    if shape.degree == 1:
        return 0.0
    prices = [LevelCosts.of(params, at + 1, costs) for at in range(level + 1)]
    if shape.square:
        return prices[level].multiply
    counter = _Counter(prices)
    # Equal ones would cancel where the polynomial is split, and so cost less than a fitted polynomial's.
    coefficients = np.sin(np.arange(1, shape.degree + 2))
    chebyshev.evaluate(counter, params, chebyshev.Leveled(level, level, params.scale), coefficients.tolist())
    return counter.ms


def map_ms(of: Rotations, sources: int, prices: LevelCosts) -> float:
    """Estimated milliseconds of a linear map of so many ciphertexts; what is folded goes into one."""
    babies, giants = len({*of.babies} - {0}), len({*of.giants} - {0})
    total = sources * (prices.decompose + babies * prices.baby)
    total += of.pieces * (giants * prices.giant + prices.finish) + of.products * prices.product
    return total + len(of.sums) * prices.switch


def step_ms(plan: Plan, step: Step, costs: Costs) -> float:
    """Estimated milliseconds of one block of a plan on one thread."""
    prices, shape = LevelCosts.of(plan.params, step.level, costs), step.shape
    maps = sum(
        map_ms(of, plan.layout(source).ciphertexts(plan.width), prices)
        for source, of in zip(shape.sources, shape.transforms, strict=True)
    )
    targets = shape.layout.ciphertexts(plan.width)
    return maps + targets * activation_ms(shape, plan.params, step.level - 1, costs)


def forecast(plan: Plan, costs: Costs) -> Plan:
    """The plan with the estimated milliseconds of each block on one thread."""
    return replace(plan, forecasts=tuple(Forecast(step_ms(plan, step, costs)) for step in plan.steps))


class _Counter:
    """An engine whose ciphertexts are their levels: it adds up what the verbs cost."""

    def __init__(self, prices: Sequence[LevelCosts]) -> None:
        self._prices, self.ms = prices, 0.0

    def add(self, x: int, y: int) -> int:
        """Little beside the rest."""
        self.ms += self._prices[x].scale / 4
        return x

    def add_number(self, x: int, value: float) -> int:
        """The same."""
        self.ms += self._prices[x].scale / 4
        return x

    def multiply(self, x: int, y: int) -> int:
        """A key switch and its tensor."""
        self.ms += self._prices[x].multiply
        return x - 1

    def drop(self, x: int, level: int) -> int:
        """Free."""
        return level

    def affine(
        self, xs: Sequence[int], matrix: IntegerMatrix, bias: NDArray[np.float64], scale: float
    ) -> list[int]:
        """A product with a number for each term, then a rescaling."""
        self.ms += len(xs) * self._prices[xs[0]].scale + self._prices[xs[0]].finish
        return [xs[0] - 1]
