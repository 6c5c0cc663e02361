"""Keys: the secret, the public encryption key, and those that switch ciphertexts from one secret to another.

All are expanded from 32-byte seeds. The uniform half of every public key is a function of a public seed,
which travels in its place.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks import sampling
from he.ckks.ring import Ring, Values
from he.ckks.sampling import Source, os_seed


class SecretKey:
    """The secret s, uniform ternary, as a function of its seed. Shows nothing, and is never pickled."""

    __slots__ = ("_s", "ring")

    def __init__(self, ring: Ring, seed: bytes) -> None:
        """seed: 32 bytes, which whoever has them needs nothing else to decrypt."""
        self.ring = ring
        self._s = sampling.ternary(ring, seed, 0, ring.full)

    @classmethod
    def generate(cls, ring: Ring, source: Source = os_seed) -> "SecretKey":
        """A fresh secret."""
        return cls(ring, source())

    def values(self, limbs: int) -> Values:
        """s mod the first `limbs` primes of Q and then P, NTT values (limbs, N). Secret."""
        return cast(Values, self._s[:limbs])

    def automorphism(self, k: int) -> Values:
        """s(X^k) over QP, NTT values. Secret."""
        return cast(Values, kernels.automorphism_ntt(self._s, k, self.ring.full))

    def __repr__(self) -> str:
        return f"SecretKey({self.ring.params!r})"

    def __reduce__(self) -> str:
        raise TypeError("a SecretKey is never pickled")


@dataclass(frozen=True, eq=False, repr=False)
class PublicKey:
    """An encryption of zero over q_0 .. q_L and a special prime: data (2, L + 2, N), c_1 from seed."""

    ring: Ring
    data: Values
    seed: bytes

    @classmethod
    def generate(cls, secret: SecretKey, source: Source = os_seed) -> "PublicKey":
        """(b, a) = (-a s + e, a)."""
        ring, seed = secret.ring, source()
        basis = ring.public
        data = kernels.empty((2, basis.limbs, basis.n), basis)
        a = sampling.uniform(seed, 0, basis, out=data[1])
        _masked(ring, a, secret.values(basis.limbs), source(), 0, basis, data[0])
        return cls(ring, cast(Values, data), seed)

    def __repr__(self) -> str:
        return f"PublicKey({self.ring.params!r})"


@dataclass(frozen=True, eq=False, repr=False)
class SwitchingKey:
    """data: (digits, 2, level + 1 + special, N), digit j holding (-a_j s + e_j + g_j s', a_j) with g_j = P
    modulo the primes of digit j and 0 modulo the others; a_j is stream j of `seed`. It serves up to `level`.
    Residues as in `kernels.compact_key`.
    """

    data: NDArray[Any]
    seed: bytes

    def level(self, ring: Ring) -> int:
        """The highest level of a ciphertext that it switches."""
        limbs: int = self.data.shape[2]
        return limbs - len(ring.params.special) - 1


@dataclass(frozen=True, eq=False, repr=False)
class EvaluationKeys:
    """What an evaluator needs and may know: relinearisation, and automorphisms by their exponents."""

    ring: Ring
    relinearisation: SwitchingKey
    automorphisms: Mapping[int, SwitchingKey]

    @classmethod
    def generate(
        cls,
        secret: SecretKey,
        rotations: Iterable[int] = (),
        conjugation: bool = False,
        source: Source = os_seed,
    ) -> "EvaluationKeys":
        """Keys for products, and for these rotations in slots."""
        exponents, keys = each_key(secret, rotations, conjugation, source)
        relinearisation, *others = keys
        return cls(secret.ring, relinearisation, dict(zip(exponents, others, strict=True)))

    def automorphism(self, k: int) -> NDArray[Any]:
        """The key for X -> X^k; ValueError if there is none."""
        if k not in self.automorphisms:
            made = [_name(self.ring, other) for other in sorted(self.automorphisms)]
            raise ValueError(f"no key for {_name(self.ring, k)}, expected one of {made}")
        return self.automorphisms[k].data

    def __repr__(self) -> str:
        return f"EvaluationKeys({len(self.automorphisms)} automorphisms, {self.ring.params!r})"


def _name(ring: Ring, k: int) -> str:
    """What X -> X^k does to the slots, for errors: rotations are tried one after the other."""
    power, slots = 1, ring.params.slots
    for steps in range(slots):
        if power == k:
            return f"rotation by {steps}"
        power = power * ring.galois(1) % (2 * ring.params.n)
    return "conjugation" if k == ring.conjugation else f"X -> X^{k}"


def each_key(
    secret: SecretKey, rotations: Iterable[int] = (), conjugation: bool = False, source: Source = os_seed
) -> tuple[dict[int, int], Iterator[SwitchingKey]]:
    """(level of each exponent, keys): relinearisation, then an automorphism an exponent, made when asked for.

    rotations: in slots; a mapping says up to which level each is used, which makes its key smaller.
    """
    ring = secret.ring
    s = secret.values(ring.full.limbs)
    levels = exponent_levels(ring, rotations)
    if conjugation:
        levels[ring.conjugation] = ring.params.top_level
    ordered = dict(sorted(levels.items()))

    def keys() -> Iterator[SwitchingKey]:
        yield switching_key(ring, s, cast(Values, kernels.mul(s, s, ring.full)), source)
        for k, level in ordered.items():
            yield switching_key(ring, secret.automorphism(pow(k, -1, 2 * ring.params.n)), s, source, level)

    return ordered, keys()


def exponent_levels(ring: Ring, rotations: Iterable[int]) -> dict[int, int]:
    """The exponents that need a key, and the highest level at which each does."""
    top, levels = ring.params.top_level, dict[int, int]()
    given = rotations if isinstance(rotations, Mapping) else dict.fromkeys(rotations, top)
    for steps, level in given.items():
        if not 0 <= level <= top:
            raise ValueError(f"level of rotation {steps} is {level}, expected 0 to {top}")
        k = ring.galois(steps)
        levels[k] = max(level, levels.get(k, 0))
    levels.pop(1, None)
    return levels


def digit_ranges(ring: Ring, level: int | None = None) -> list[range]:
    """The primes of each digit of the chain up to a level, by default of the full chain."""
    top = (ring.params.top_level if level is None else level) + 1
    step = ring.params.digit_primes
    return [range(i, min(i + step, top)) for i in range(0, top, step)]


def switching_key(
    ring: Ring, under: Values, of: Values, source: Source, level: int | None = None
) -> SwitchingKey:
    """The key that switches from the secret `of` to the secret `under`, both NTT values over QP.

    Hybrid key switching of Han and Ki (ePrint 2019/688, section 3), one encryption of g_j s' a digit j.
    level: the highest one that it is used at, by default the top.
    """
    seed, noise_seed = source(), source()
    top = ring.params.top_level if level is None else level
    digits, basis = digit_ranges(ring, top), ring.extended(top)
    under, of = _restricted(ring, under, top), _restricted(ring, of, top)
    p_of = kernels.mul_scalar(of, [ring.p] * basis.limbs, basis)
    data = kernels.empty((len(digits), 2, basis.limbs, basis.n), basis)
    for j, rows in enumerate(digits):
        a = sampling.uniform(seed, j, basis, out=data[j, 1])
        b = _masked(ring, a, under, noise_seed, j, basis, data[j, 0])
        part, selected = b[rows.start : rows.stop], basis.select(rows)
        kernels.add(part, p_of[rows.start : rows.stop], selected, out=part)
    return SwitchingKey(cast(Values, data), seed)


def _restricted(ring: Ring, x: Values, level: int) -> Values:
    """x over QP (L + 1 + special, N) without the primes above a level."""
    if level == ring.params.top_level:
        return x
    return cast(Values, np.concatenate([x[: level + 1], x[ring.params.top_level + 1 :]]))


def _masked(
    ring: Ring,
    a: Values,
    s: Values,
    noise: bytes,
    stream: int,
    basis: kernels.Basis,
    out: NDArray[np.uint64],
) -> Values:
    """-a s + e, into `out` (limbs, N)."""
    e = sampling.error(ring, noise, stream, basis)
    kernels.mul(a, s, basis, out=out)
    return cast(Values, kernels.sub(e, out, basis, out=out))
