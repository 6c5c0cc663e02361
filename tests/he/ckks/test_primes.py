import itertools

import pytest

from he.ckks import primes


def test_is_prime_agrees_with_a_sieve() -> None:
    sieve = [True] * 20000
    sieve[0] = sieve[1] = False
    for p in range(2, 142):
        if sieve[p]:
            sieve[p * p :: p] = [False] * len(sieve[p * p :: p])
    assert [n for n in range(20000) if primes.is_prime(n)] == [n for n in range(20000) if sieve[n]]


@pytest.mark.parametrize("n", [3215031751, 3825123056546413051, 318665857834031151167461 % 2**64])
def test_strong_pseudoprimes_are_no_primes(n: int) -> None:
    """Composite numbers that fool Miller-Rabin with few bases (Jaeschke 1993)."""
    assert not primes.is_prime(n)


@pytest.mark.parametrize(("bits", "log_n"), [(50, 17), (40, 13), (30, 10)])
def test_below_and_around_give_ntt_primes_of_the_right_size(bits: int, log_n: int) -> None:
    for source in (primes.below, primes.around):
        found = list(itertools.islice(source(bits, log_n), 8))
        assert len(set(found)) == 8
        assert all(q % (2 << log_n) == 1 and primes.is_prime(q) for q in found)
        if source is primes.below:
            assert found == sorted(found, reverse=True)
            assert found[0] < 2**bits
        else:
            assert [abs(q - 2**bits) for q in found] == sorted(abs(q - 2**bits) for q in found)


def test_take_skips_used_primes_and_says_when_there_are_too_few() -> None:
    first, second = primes.take(primes.below(40, 12), 2, ())
    assert primes.take(primes.below(40, 12), 1, (first,)) == (second,)
    with pytest.raises(ValueError, match=r"only \d+ NTT primes of this size, expected 99"):
        primes.take(primes.around(20, 17), 99, ())
