"""Linear maps on slots: diagonals, baby steps and giant steps.

A matrix product is a sum of element-wise products with rotations of the vector: sum_k d_k * rot_k(x) (Halevi
and Shoup, CRYPTO 2014). With k = g + b it takes few rotations: sum_g rot_g(sum_b rot_-g(d_{g+b}) * rot_b(x)).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Slots: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Diagonals:
    """A linear map on slots, split for baby steps and giant steps.

    rows: giant step g -> {baby step b -> diagonal g + b, rotated right by g}, each of shape (slots,).
    Diagonals that are zero are left out.
    """

    rows: Mapping[int, Mapping[int, Slots]]

    @property
    def baby_steps(self) -> tuple[int, ...]:
        """The rotations of the input that are needed, 0 included if it is."""
        return tuple(sorted({b for row in self.rows.values() for b in row}))


def split(diagonals: Mapping[int, Slots], block: int) -> Diagonals:
    """Split diagonals {rotation: (slots,) values} into giant steps, multiples of `block`, and baby steps."""
    rows: dict[int, dict[int, Slots]] = {}
    for rotation, diagonal in sorted(diagonals.items()):
        if np.any(diagonal):
            baby = rotation % block
            giant = rotation - baby
            rows.setdefault(giant, {})[baby] = np.roll(diagonal, giant)
    return Diagonals(rows)
