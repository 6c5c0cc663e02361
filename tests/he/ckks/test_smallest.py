import dataclasses

import pytest

from he.ckks.params import CkksParams, CkksSpec
from he.ckks.smallest import product_precision, smallest_spec, switching_cost


@pytest.mark.parametrize(
    ("depth", "log_n"),
    [(0, 12), (1, 13), (2, 13), (3, 14), (8, 14), (9, 15), (19, 15), (20, 16), (41, 16), (42, 17)],
)
def test_no_smaller_ring_would_do(depth: int, log_n: int) -> None:
    """50 bits for q_0, 40 a level, at least 50 for P, against 106 / 214 / 430 / 868 / 1747 / 3523 bits."""
    spec = smallest_spec(depth)
    assert spec.log_n == log_n
    assert CkksParams.from_spec(spec).security >= 128
    assert 100 + 40 * depth > {12: 53, 13: 106, 14: 214, 15: 430, 16: 868, 17: 1747}[log_n]


def test_slots_and_security_and_precision_are_kept() -> None:
    assert smallest_spec(1, slots=5000).log_n == 14
    assert smallest_spec(1, security=256).log_n == 14
    for precision in (12, 20, 26):
        spec = smallest_spec(2, precision=precision)
        assert precision <= product_precision(spec) < precision + 2
    with pytest.raises(
        ValueError, match=r"90 levels and 1 slots need 3700 bits .* expected at most 3523 bits"
    ):
        smallest_spec(90)
    with pytest.raises(ValueError, match="and 60 bits of precision"):
        smallest_spec(2, precision=60)


def test_the_division_into_digits_is_the_cheapest() -> None:
    small = CkksSpec(log_n=13, depth=2, first_bits=47, special_bits=47)
    assert switching_cost(small, 1) == 3 + 3 * 3 + 2 * 4  # inverse transforms, digits, division by P
    params = CkksParams.from_spec(smallest_spec(15))
    assert (len(params.special), params.digit_primes) == (4, 4)
    for special, bits in ((1, 50), (2, 45), (3, 44), (5, 42)):  # all other divisions that have room
        other = dataclasses.replace(params.spec, special=special, special_bits=bits)
        digit_primes = CkksParams.from_spec(other).digit_primes
        assert switching_cost(params.spec, 4) <= switching_cost(other, digit_primes)
