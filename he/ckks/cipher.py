"""Plaintext and Ciphertext: residues with the level and the scale that they are to be read with."""

from dataclasses import dataclass

from he.ckks.ring import Values

SAME_SCALE = 2.0**-40
"""Relative difference below which two scales are the same: float64 rounding stays far below, noise above."""


@dataclass(frozen=True, eq=False, repr=False)
class Plaintext:
    """poly: NTT values (level + 1, N), or (level + 1 + special, N) for products over QP; integers near
    scale * values.
    """

    poly: Values
    level: int
    scale: float

    def __repr__(self) -> str:
        return f"Plaintext(level={self.level}, scale={self.scale:.6g})"


@dataclass(frozen=True, eq=False, repr=False)
class Ciphertext:
    """data: NTT values (2, level + 1, N), (c_0, c_1) with c_0 + c_1 s near scale * values mod q_0 .. q_level.

    seed: what c_1 was expanded from, if it was; then the wire carries it instead of c_1.
    """

    data: Values
    level: int
    scale: float
    seed: bytes | None = None

    def __repr__(self) -> str:
        return f"Ciphertext(level={self.level}, scale={self.scale:.6g})"


def expect_level(name: str, given: int, expected: int) -> None:
    """ValueError unless the levels are the same."""
    if given != expected:
        raise ValueError(f"{name} has level {given}, expected {expected}: drop to the lower level first")


def expect_scale(name: str, given: float, expected: float) -> None:
    """ValueError unless the scales are the same but for rounding."""
    if abs(given / expected - 1) > SAME_SCALE:
        raise ValueError(f"{name} has scale {given:.9g}, expected {expected:.9g}: scales must not be mixed")
