"""Engine `clear`: the same verbs on NumPy arrays in the clear, with the noise that ciphertexts would have.

Beside the values goes a bound on their noise (`deviation`), predicted operation by operation; with a
generator of random numbers the noise itself is added as well. So plans are tested, their accuracy measured on
whole data sets and their precision predicted. Nothing is encrypted and there are no keys: it is for whoever
holds model and data in the clear anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from he.ckks import noise
from he.ckks.linear import Diagonals
from he.ckks.params import CkksParams
from he.engines import chebyshev
from he.kernels import IntegerMatrix

Deviation: TypeAlias = float | NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClearCipher:
    """Values (slots,) with the level and scale that a ciphertext would have.

    deviation: at least the standard deviation of the noise in the real part of each slot, or of any.
    """

    values: NDArray[np.float64]
    level: int
    scale: float
    deviation: Deviation = 0.0

    @property
    def bound(self) -> float:
        """What the noise of no slot exceeds."""
        return noise.TAIL * float(np.max(self.deviation))


@dataclass(frozen=True, eq=False)
class ClearRows:
    """Encoded diagonals: giant step -> baby step -> plaintext."""

    rows: Mapping[int, Mapping[int, ClearCipher]]


@dataclass(frozen=True)
class ClearEvaluator:
    """Verbs on clear values; `load` and `dump` carry raw float64, without the noise's bound.

    rng: adds the noise if given. Noise is no secret here, so any generator will do.
    """

    params: CkksParams
    rng: np.random.Generator | None = None
    correlated: bool = False
    """Whether the noises of the ciphertexts that `affine` takes may be the same, not independent."""

    def encode(self, values: NDArray[np.float64], level: int, scale: float) -> ClearCipher:
        """Real values (slots,) as a plaintext: rounding noise."""
        return self._noisy(ClearCipher(values, level, scale), noise.encoding(self.params))

    def encrypt(self, values: NDArray[np.float64], level: int, scale: float) -> ClearCipher:
        """Real values (slots,) as encryption under the secret key would give them."""
        return self._noisy(self.encode(values, level, scale), noise.fresh(self.params))

    def encode_linear(self, diagonals: Diagonals, level: int, scale: float) -> ClearRows:
        """A linear map on slots."""
        return ClearRows(
            {
                g: {b: self.encode(d, level, scale) for b, d in row.items()}
                for g, row in diagonals.rows.items()
            }
        )

    def add(self, x: ClearCipher, y: ClearCipher) -> ClearCipher:
        """x + y; the noises may be correlated, so their deviations add."""
        return ClearCipher(x.values + y.values, x.level, x.scale, x.deviation + y.deviation)

    add_plain = add

    def multiply(self, x: ClearCipher, y: ClearCipher) -> ClearCipher:
        """x y, relinearised and rescaled."""
        inherited = np.abs(x.values) * y.deviation + np.abs(y.values) * x.deviation
        deviation = inherited + x.deviation * y.deviation
        product = ClearCipher(x.values * y.values, x.level, x.scale * y.scale, deviation)
        return self._rescaled(product, noise.key_switch(self.params, x.level))

    def rotate(self, x: ClearCipher, steps: Sequence[int]) -> list[ClearCipher]:
        """x rotated left by each number of slots."""
        switched = noise.key_switch(self.params, x.level) + noise.rounding(self.params)
        return [self._noisy(_rolled(x, k), switched) if k else x for k in steps]

    def fold(self, x: ClearCipher, steps: Sequence[int]) -> ClearCipher:
        """x + rot_k(x) for each k in turn: different slots of the noise meet, which are uncorrelated."""
        for k in steps:
            (moved,) = self.rotate(x, [k])
            deviation = np.hypot(x.deviation, moved.deviation)
            x = replace(x, values=x.values + moved.values, deviation=deviation)
        return x

    def linear(self, x: ClearCipher, linear: ClearRows) -> ClearCipher:
        """The linear map applied to x and rescaled, as sum_g rot_g(sum_b d rot_b(x)).

        The variances of the terms add up slot by slot: rotations of x bring different slots of its noise
        together, which are uncorrelated, as are the noises of key switches and of encoded diagonals.
        """
        total, inherited, added = (np.zeros_like(x.values) for _ in range(3))
        switched, scale = self._switch_deviation(x.level, x.scale), x.scale
        for g, row in linear.rows.items():
            for b, d in row.items():
                moved = _rolled(x, b)
                own = (d.deviation * (np.abs(moved.values) + moved.deviation)) ** 2
                total += np.roll(d.values * moved.values, -g)
                inherited += np.roll((d.values * moved.deviation) ** 2, -g)
                added += np.roll(own + (d.values * switched) ** 2 * (b != 0), -g)
                scale = x.scale * d.scale
        added += len(linear.rows) * self._switch_deviation(x.level, scale) ** 2
        if self.rng is not None:
            total += self.rng.normal(size=total.shape) * np.sqrt(added)
        return self._rescaled(ClearCipher(total, x.level, scale, np.sqrt(inherited + added)), 0.0)

    def polynomial(self, x: ClearCipher, coefficients: Sequence[float]) -> ClearCipher:
        """sum_k coefficients[k] T_k(x) for slots in [-1, 1], at the scale of x.

        The T_k carry the same noise of x: their deviations add.
        """
        leveled = chebyshev.Leveled(x, x.level, x.scale)
        together = replace(self, correlated=True)
        return chebyshev.evaluate(together, self.params, leveled, coefficients)

    def drop(self, x: ClearCipher, level: int) -> ClearCipher:
        """x at a lower level."""
        return replace(x, level=level)

    def affine(
        self,
        xs: Sequence[ClearCipher],
        matrix: IntegerMatrix,
        bias: NDArray[np.float64],
        scale: float,
    ) -> list[ClearCipher]:
        """Weighted sums, rescaled, plus numbers; noises of different features are taken as independent."""
        weights = matrix.dense() * (np.array([x.scale for x in xs]) / scale)
        values = weights @ np.stack([x.values for x in xs])
        given = np.stack([np.broadcast_to(x.deviation, x.values.shape) for x in xs])
        deviations = np.abs(weights) @ given if self.correlated else np.sqrt(weights**2 @ given**2)
        sums = zip(values, deviations, bias, strict=True)
        level = xs[0].level
        return [self.add_number(self._rescaled(ClearCipher(v, level, scale, d), 0.0), b) for v, d, b in sums]

    def add_number(self, x: ClearCipher, value: float) -> ClearCipher:
        """x plus a number, which is rounded to the scale of x."""
        return replace(x, values=x.values + round(value * x.scale) / x.scale)

    def dump(self, x: ClearCipher) -> bytes:
        """The values as little-endian float64."""
        return x.values.astype("<f8").tobytes()

    def load(self, data: bytes | memoryview, level: int, scale: float) -> ClearCipher:
        """Values from `dump`; ValueError unless there is one for each slot."""
        if len(data) != 8 * self.params.slots:
            raise ValueError(f"{len(data)} bytes given, expected {8 * self.params.slots}")
        return ClearCipher(np.frombuffer(data, "<f8").astype(np.float64), level, scale)

    def _switch_deviation(self, level: int, scale: float) -> float:
        variance = noise.key_switch(self.params, level) + noise.rounding(self.params)
        return noise.slot_deviation(self.params, variance, scale)

    def _rescaled(self, x: ClearCipher, switched: float) -> ClearCipher:
        """One level down; switched: variance of a key switch before it, still at the old scale."""
        q = self.params.moduli[x.level]
        down = replace(x, level=x.level - 1, scale=x.scale / q)
        return self._noisy(down, switched / q**2 + noise.rounding(self.params))

    def _noisy(self, x: ClearCipher, variance: float) -> ClearCipher:
        """x with independent noise of a coefficient variance added."""
        added = noise.slot_deviation(self.params, variance, x.scale)
        values = x.values if self.rng is None else x.values + self.rng.normal(0.0, added, x.values.shape)
        return replace(x, values=values, deviation=np.hypot(x.deviation, added))


def _rolled(x: ClearCipher, steps: int) -> ClearCipher:
    """x with values and deviations rotated left, no noise added."""
    deviation = x.deviation if np.ndim(x.deviation) == 0 else np.roll(x.deviation, -steps)
    return replace(x, values=np.roll(x.values, -steps), deviation=deviation)
