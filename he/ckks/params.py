"""Parameters of the scheme: an unchecked CkksSpec goes in, a checked frozen CkksParams comes out."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Self

from he.ckks import primes, security

LOG_N_RANGE = (10, 17)
SCALE_BITS_RANGE = (20, 45)
SIGMA = 3.19  # standard deviation of the error, as in the security table
MAX_DEPTH = 100  # more than the largest ring has room for; bounds the work on a spec from outside


@dataclass(frozen=True, kw_only=True)
class CkksSpec:
    """What the caller wants, unchecked.

    log_n: ring degree N = 2^log_n, 10 to 17. depth: rescalings the chain allows. scale_bits: log2 of the
    scale and of each rescaling prime, 20 to 45. first_bits: size of q_0, at most 50. special, special_bits:
    number and size of the primes of P. security: 128, 192 or 256 bits. insecure: accept less than 128 bits
    (for tests only). The secret is uniform ternary, which the table is for: sparse ones are not offered.
    """

    log_n: int
    depth: int
    scale_bits: int = 40
    first_bits: int = 50
    special: int = 1
    special_bits: int = 50
    security: int = 128
    insecure: bool = False

    @classmethod
    def from_fields(cls, given: object, *, insecure: bool = False) -> Self:
        """A spec from decoded JSON; ValueError unless it has these fields. Values are checked later.

        insecure: accept a spec that says so of itself. Whoever sends one does not decide that.
        """
        expected = sorted(field.name for field in fields(cls))
        if not isinstance(given, dict) or sorted(given) != expected:
            raise ValueError(f"the spec is {given!r:.200}, expected the fields {expected}")
        if type(given["insecure"]) is not bool:
            raise ValueError(f"insecure is {given['insecure']!r}, expected true or false")
        if given["insecure"] and not insecure:
            raise ValueError("the parameters given are insecure, expected 128 bits: insecure=True takes them")
        return cls(**given)


@dataclass(frozen=True, repr=False)
class CkksParams:
    """Checked parameters: made by `from_spec` only, and not checked again below.

    moduli: (q_0, ..., q_L), NTT primes below 2^50; a ciphertext of level l has the residues mod q_0..q_l.
    special: the primes of P. digit_primes: primes in one digit of a key switch, as many as P outweighs.
    security: the bits reached by the table, 0 if below 128.
    """

    spec: CkksSpec
    moduli: tuple[int, ...]
    special: tuple[int, ...]
    digit_primes: int
    security: int

    @classmethod
    def from_spec(cls, spec: CkksSpec) -> Self:
        """Choose the primes and check the security; ValueError names what was given and what is allowed."""
        _check_ranges(spec)
        digit_primes = _digit_primes(spec)
        moduli, special = _choose_primes(spec)
        needed = log2_rounded(moduli + special)
        level = security.reached(spec.log_n, needed)
        if level < spec.security and not spec.insecure:
            limit = security.largest_log_qp(spec.log_n, spec.security)
            raise ValueError(
                f"log2(QP) is {needed} bits, expected at most {limit} for {spec.security}-bit security at "
                f"N = 2^{spec.log_n} (ePrint 2024/463): take a larger ring or fewer levels"
            )
        return cls(spec, moduli, special, digit_primes, level)

    @property
    def n(self) -> int:
        """Ring degree N."""
        return 1 << self.spec.log_n

    @property
    def slots(self) -> int:
        """Values in one ciphertext, N/2."""
        return self.n // 2

    @property
    def top_level(self) -> int:
        """Level of a fresh ciphertext, L."""
        return len(self.moduli) - 1

    @property
    def scale(self) -> float:
        """The scale of a fresh ciphertext, 2^scale_bits."""
        return 2.0**self.spec.scale_bits

    @property
    def log_qp(self) -> float:
        """log2(QP), in bits."""
        return math.fsum(map(math.log2, self.moduli + self.special))

    @cached_property
    def id(self) -> bytes:
        """16 bytes that name these parameters: a hash of the spec and of every prime."""
        content = json.dumps([asdict(self.spec), self.moduli, self.special], sort_keys=True)
        return hashlib.sha256(b"latticework/ckks-params/1" + content.encode()).digest()[:16]

    def __repr__(self) -> str:
        safety = f"{self.security}-bit security" if self.security else "INSECURE, below 128 bits"
        return (
            f"CkksParams(N=2^{self.spec.log_n}, levels={self.top_level}, scale=2^{self.spec.scale_bits}, "
            f"log2(QP)={self.log_qp:.0f}, {safety})"
        )


def log2_rounded(moduli: tuple[int, ...]) -> int:
    """log2 of the product, in bits, rounded up from a hundredth of a bit on.

    The rescaling primes lie on both sides of 2^scale_bits: their product may pass a whole number by a hair.
    """
    return math.ceil(math.fsum(map(math.log2, moduli)) - 0.01)


def _check_ranges(spec: CkksSpec) -> None:
    _expect("log_n", spec.log_n, *LOG_N_RANGE)
    _expect("depth", spec.depth, 0, MAX_DEPTH)
    _expect("scale_bits", spec.scale_bits, *SCALE_BITS_RANGE)
    _expect("first_bits", spec.first_bits, spec.scale_bits + 1, primes.MAX_BITS)
    _expect("special", spec.special, 1, MAX_DEPTH)
    _expect("special_bits", spec.special_bits, SCALE_BITS_RANGE[0], primes.MAX_BITS)
    if spec.security not in security.LEVELS:
        raise ValueError(f"security is {spec.security}, expected one of {security.LEVELS}")


def _digit_primes(spec: CkksSpec) -> int:
    """The most primes whose product P exceeds wherever a digit begins: so a key switch adds little noise."""
    room = spec.special * spec.special_bits
    if room < spec.first_bits:
        raise ValueError(f"P has {room} bits, expected at least the {spec.first_bits} bits of q_0")
    most = min(1 + (room - spec.first_bits) // spec.scale_bits, room // spec.scale_bits)
    return min(most, spec.depth + 1)


def _expect(name: str, value: object, low: int, high: int) -> None:
    if type(value) is not int:
        raise TypeError(f"{name} is {type(value).__name__}, expected int")
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, expected {low} to {high}")


def _choose_primes(spec: CkksSpec) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """q_0 and P just below their powers of two, the rescaling primes nearest to the scale, all distinct."""
    first = primes.take(primes.below(spec.first_bits, spec.log_n), 1, ())
    special = primes.take(primes.below(spec.special_bits, spec.log_n), spec.special, first)
    chain = primes.take(primes.around(spec.scale_bits, spec.log_n), spec.depth, first + special)
    return first + chain, special
