import pytest

from he.ckks.ring import Ring


def test_each_level_has_its_primes(ring: Ring) -> None:
    q, p = ring.params.moduli, ring.params.special
    assert ring.basis(1).moduli == q[:2]
    assert ring.extended(1).moduli == q[:2] + p
    assert ring.rescaler(2).quotient.moduli == q[:2]
    assert ring.finisher(2).quotient.moduli == q[:2]
    assert ring.gadget(2).digits == 2
    assert ring.basis(1) is ring.basis(1)
    with pytest.raises(ValueError, match="level is 4, expected 0 to 3"):
        ring.basis(4)


def test_rotations_are_a_group_of_odd_exponents(ring: Ring) -> None:
    assert ring.galois(0) == ring.galois(512) == 1
    assert ring.galois(3) == 125
    assert ring.galois(-1) * 5 % 2048 == 1
    assert ring.conjugation == 2047


def test_the_repr_tells_parameters_and_path(ring: Ring) -> None:
    assert "INSECURE" in repr(ring)
    assert "threads=1" in repr(ring)
