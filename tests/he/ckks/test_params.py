import dataclasses

import pytest

from he.ckks import primes
from he.ckks.params import CkksParams, CkksSpec


def spec(**changes: object) -> CkksSpec:
    return dataclasses.replace(CkksSpec(log_n=13, depth=2), **changes)  # type: ignore[arg-type]


def test_the_primes_have_their_sizes_and_are_distinct() -> None:
    params = CkksParams.from_spec(spec(special=2, special_bits=41))
    every = params.moduli + params.special
    assert len(set(every)) == 5
    assert all(q % (2 * params.n) == 1 and q < 2**50 and primes.is_prime(q) for q in every)
    assert params.moduli[0].bit_length() == 50
    assert all(abs(q / params.scale - 1) < 2**-20 for q in params.moduli[1:])
    assert all(q.bit_length() == 41 for q in params.special)


def test_more_modulus_than_the_table_allows_is_refused() -> None:
    CkksParams.from_spec(spec(special=2, special_bits=42))  # 50 + 2 * 40 + 84 = 214, the limit
    with pytest.raises(ValueError, match="216 bits, expected at most 214 for 128-bit"):
        CkksParams.from_spec(spec(special=2, special_bits=43))  # SEAL's default limit is 218
    with pytest.raises(ValueError, match="180 bits, expected at most 147 for 192-bit"):
        CkksParams.from_spec(spec(security=192))


def test_insecure_parameters_are_accepted_only_when_asked_for_and_say_so() -> None:
    with pytest.raises(ValueError, match="expected at most 26 for 128-bit"):
        CkksParams.from_spec(spec(log_n=10))
    params = CkksParams.from_spec(spec(log_n=10, insecure=True))
    assert params.security == 0
    assert "INSECURE" in repr(params)
    assert "INSECURE" not in repr(CkksParams.from_spec(spec()))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("log_n", 9, "log_n is 9, expected 10 to 17"),
        ("log_n", 18, "log_n is 18, expected 10 to 17"),
        ("depth", -1, "depth is -1, expected 0 to 100"),
        ("scale_bits", 46, "scale_bits is 46, expected 20 to 45"),
        ("first_bits", 51, "first_bits is 51, expected 41 to 50"),
        ("first_bits", 40, "first_bits is 40, expected 41 to 50"),
        ("special", 0, "special is 0, expected 1 to"),
        ("special_bits", 60, "special_bits is 60, expected 20 to 50"),
        ("security", 100, "security is 100, expected one of"),
    ],
)
def test_values_out_of_range_are_named(field: str, value: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CkksParams.from_spec(spec(**{field: value}))


def test_wrong_types_are_named() -> None:
    with pytest.raises(TypeError, match="depth is float, expected int"):
        CkksParams.from_spec(spec(depth=2.0))
    with pytest.raises(TypeError, match="log_n is bool, expected int"):
        CkksParams.from_spec(spec(log_n=True))


def test_the_id_names_the_parameters() -> None:
    assert CkksParams.from_spec(spec()).id == CkksParams.from_spec(spec()).id
    assert CkksParams.from_spec(spec()).id != CkksParams.from_spec(spec(depth=1)).id
