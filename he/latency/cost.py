"""Estimated times: transforms and products counted step by step, times what each takes on a machine.

Two numbers describe a machine: the nanoseconds that a transform takes per entry and level of its butterflies,
and those that a product of residues takes with its traffic to memory. `Costs.measure` finds them in about a
second; whoever plans much keeps the result.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from he import kernels
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring


@dataclass(frozen=True)
class Costs:
    """butterfly_ns: one butterfly of a transform; product_ns: one multiply-add of residues. One thread."""

    butterfly_ns: float = 0.3
    product_ns: float = 0.5

    @classmethod
    def measure(cls, log_n: int = 13) -> Self:
        """Measured on this machine, with the compiled kernels, in a ring of degree 2^log_n."""
        ring = Ring(CkksParams.from_spec(CkksSpec(log_n=log_n, depth=5, insecure=True)), threads=1)
        basis = ring.full
        x = kernels.uniform(bytes(32), 0, basis)
        transform_s = _least(lambda: kernels.ntt(x, basis))
        rows = [kernels.uniform(bytes(32), i, basis) for i in range(16)]
        pair = np.stack([x, x])
        product_s = _least(lambda: kernels.weighted_sum(rows, [pair] * 16, basis))
        entries = basis.limbs * basis.n
        return cls(
            1e9 * transform_s / (entries * math.log2(basis.n) / 2), 1e9 * product_s / (2 * 16 * entries)
        )


@dataclass(frozen=True)
class LevelCosts:
    """Milliseconds of each operation on ciphertexts of one level."""

    baby: float
    giant: float
    product: float
    finish: float
    decompose: float
    switch: float
    multiply: float

    @classmethod
    def of(cls, params: CkksParams, level: int, costs: Costs) -> Self:
        """level: of the operands; a linear transform ends one below it."""
        ntt = 1e-6 * costs.butterfly_ns * params.n * math.log2(params.n) / 2
        mul = 1e-6 * costs.product_ns * params.n
        limbs, special = level + 1, len(params.special)
        wide = limbs + special
        digits = -(-limbs // params.digit_primes)
        decompose = (limbs + digits * wide) * ntt
        inner = 2 * digits * wide * mul
        down = 2 * wide * ntt
        return cls(
            baby=inner + 2 * wide * mul,
            giant=decompose + inner + wide * ntt + 4 * wide * mul,
            product=2 * wide * mul,
            finish=down,
            decompose=decompose,
            switch=decompose + inner + down,
            multiply=decompose + inner + down + 4 * limbs * mul,
        )


def _least(call: Callable[[], object], rounds: int = 9) -> float:
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
