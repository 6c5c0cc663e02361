"""NTT primes: q = 1 mod 2N, chosen near a power of two."""

from collections.abc import Collection, Iterator

MAX_BITS = 50  # one arithmetic for AVX-512 IFMA (52-bit products), AVX2 and FP64 units

# These twelve bases make Miller-Rabin a proof for every n < 3.18e23 (Sorenson and Webster, 2015).
_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def is_prime(n: int) -> bool:
    """Whether n < 2^64 is prime (deterministic Miller-Rabin)."""
    if n < 2:
        return False
    if any(n % p == 0 for p in _BASES):
        return n in _BASES
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    return all(_passes(n, a, d, s) for a in _BASES)


def _passes(n: int, a: int, d: int, s: int) -> bool:
    x = pow(a, d, n)
    if x in (1, n - 1):
        return True
    for _ in range(s - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


def below(bits: int, log_n: int) -> Iterator[int]:
    """NTT primes for ring degree 2^log_n just below 2^bits, largest first, while they keep `bits` bits."""
    step = 2 << log_n
    for q in range((1 << bits) - step + 1, 1 << (bits - 1), -step):
        if is_prime(q):
            yield q


def around(bits: int, log_n: int) -> Iterator[int]:
    """NTT primes for ring degree 2^log_n in order of their distance from 2^bits, within a factor of two."""
    step, centre = 2 << log_n, 1 << bits
    for k in range(centre // (2 * step)):
        for q in (centre + k * step + 1, centre - (k + 1) * step + 1):
            if q.bit_length() <= MAX_BITS and is_prime(q):
                yield q


def take(source: Iterator[int], count: int, used: Collection[int]) -> tuple[int, ...]:
    """The first `count` primes of `source` that are not in `used`; ValueError if there are too few."""
    found: list[int] = []
    while len(found) < count:
        q = next(source, None)
        if q is None:
            raise ValueError(f"only {len(found)} NTT primes of this size, expected {count}")
        if q not in used:
            found.append(q)
    return tuple(found)
