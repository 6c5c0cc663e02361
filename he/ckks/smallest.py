"""The smallest ring for a task, and in it the division into digits that makes key switching cheapest."""

import math
from collections.abc import Iterator
from dataclasses import replace

from he.ckks import noise
from he.ckks.params import LOG_N_RANGE, SCALE_BITS_RANGE, CkksParams, CkksSpec
from he.ckks.primes import MAX_BITS
from he.ckks.security import largest_log_qp

FAST_BITS = 47  # primes below 2^47 transform fastest


def smallest_spec(
    depth: int,
    *,
    slots: int = 1,
    scale_bits: int = 40,
    first_bits: int = MAX_BITS,
    security: int = 128,
    precision: int | None = None,
) -> CkksSpec:
    """The spec of the smallest ring with `depth` rescalings and at least `slots` slots.

    precision: bits behind the point that a value of absolute value 1 keeps through a product; it replaces
    scale_bits by the least scale that gives them. ValueError if no ring is large enough.
    """
    for log_n in range(LOG_N_RANGE[0], LOG_N_RANGE[1] + 1):
        if slots > 1 << (log_n - 1):
            continue
        for bits in (scale_bits,) if precision is None else range(*SCALE_BITS_RANGE):
            first = max(first_bits, min(bits + 1, MAX_BITS))
            spec = _cheapest(
                CkksSpec(log_n=log_n, depth=depth, scale_bits=bits, first_bits=first, security=security)
            )
            if spec is not None and _carries(spec, precision):
                return spec
    limit, most = largest_log_qp(LOG_N_RANGE[1], security), 1 << (LOG_N_RANGE[1] - 1)
    needed = first_bits + depth * scale_bits + first_bits
    raise ValueError(
        f"{depth} levels and {slots} slots need {needed} bits of modulus and as many slots, expected at most "
        f"{limit} bits and {most} slots for {security}-bit security"
        + ("" if precision is None else f", and {precision} bits of precision")
    )


def _carries(spec: CkksSpec, precision: int | None) -> bool:
    """Whether there are enough primes of this size, and the precision suffices."""
    try:
        return product_precision(spec) >= (precision or -math.inf)
    except ValueError:
        return False


def product_precision(spec: CkksSpec) -> float:
    """Bits behind the point that the product of two fresh values of absolute value 1 keeps, by the bound."""
    params = CkksParams.from_spec(spec)
    factor = noise.slot_deviation(params, noise.fresh(params) + noise.encoding(params), params.scale)
    end = noise.rounding(params) + noise.key_switch(params, params.top_level)
    return noise.bits(2 * factor + noise.slot_deviation(params, end, params.scale))


def switching_cost(spec: CkksSpec, digit_primes: int) -> float:
    """Cost of a key switch at the top level, in NTTs of a prime below 2^47.

    With D digits each prime of Q and P takes part in D + 2 transforms, of which larger primes take longer:
    the lazy reductions of the kernels have less room.
    """
    digits = -(-(spec.depth + 1) // digit_primes)
    sizes = [spec.first_bits, *[spec.scale_bits] * spec.depth, *[spec.special_bits] * spec.special]
    return (digits + 2) * sum(1.0 if bits <= FAST_BITS else 1.15 if bits <= 49 else 1.4 for bits in sizes)


def _cheapest(spec: CkksSpec) -> CkksSpec | None:
    """The spec with the cheapest division into digits that the security allows; None if none does."""
    choices = list(_divisions(spec))
    return min(choices, key=lambda choice: choice[0])[1] if choices else None


def _divisions(spec: CkksSpec) -> Iterator[tuple[float, CkksSpec]]:
    """(cost, spec) for digits of 1, 2, ... primes, with P of few primes, or of fast ones."""
    used = spec.first_bits + spec.depth * spec.scale_bits
    room = largest_log_qp(spec.log_n, spec.security) - used
    for digit_primes in range(1, spec.depth + 2):
        bits = spec.first_bits + (digit_primes - 1) * spec.scale_bits
        for special in {math.ceil(bits / MAX_BITS), math.ceil(bits / FAST_BITS)}:
            special_bits = math.ceil(bits / special)
            if special * special_bits <= room:
                choice = replace(spec, special=special, special_bits=special_bits)
                yield switching_cost(choice, digit_primes), choice
