"""Layout: which place holds which feature of a tensor, and how often the tensor is repeated.

Places are numbered through the ciphertexts, `width` of them in each. A feature (channel, row, column) of an
image lies on a base grid of which the image may use every second, third, ... row and column only: a strided
convolution leaves its outputs where their windows stood, and other channels fill the gaps (multiplexed
packing: Lee et al., ICML 2022, section 3). A vector is an image of 1 x 1.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from he.model.convolution import Pair, Shape

LARGEST_PLACE = 1 << 24


class Layout(NamedTuple):
    """channels, rows, columns: of the tensor. block, row, column: places from one block of channels, row and
    column of the base grid to the next. gap: rows and columns of the base grid from one of the tensor to the
    next. together: channels in one block, filling its gaps. period: the tensor is repeated every so many
    places, a power of two.
    """

    channels: int
    rows: int
    columns: int
    block: int
    row: int
    column: int
    gap: Pair
    together: int
    period: int

    @classmethod
    def vector(cls, entries: int, period: int) -> Self:
        """Entry i in place i."""
        return cls(entries, 1, 1, 1, 1, 1, (1, 1), 1, period)

    @classmethod
    def image(cls, shape: Shape, row: int) -> Self:
        """Row after row, `row` places each; a channel takes a power of two of places."""
        channels, rows, columns = shape
        block = power_of_two(rows * row)
        return cls(channels, rows, columns, block, row, 1, (1, 1), 1, power_of_two(channels * block))

    def strided(self, shape: Shape, step: int, packed: bool, width: int) -> Self:
        """The outputs of a convolution of this stride on a tensor that lies so, where their windows stand."""
        channels, rows, columns = shape
        gap = (self.gap[0] * step, self.gap[1] * step)
        together = gap[0] * gap[1] if packed else 1
        last = (rows - 1) * gap[0] * self.row + (columns - 1) * gap[1] * self.column
        block = max(self.block, power_of_two(last + 1 + (gap[0] - 1) * self.row + (gap[1] - 1) * self.column))
        span = -(-channels // together) * block
        period = max(self.period, power_of_two(span)) if span <= width else width
        return type(self)(channels, rows, columns, block, self.row, self.column, gap, together, period)

    @property
    def features(self) -> int:
        """Entries of the tensor."""
        return self.channels * self.rows * self.columns

    @property
    def places(self) -> NDArray[np.int64]:
        """The place of each feature, channel by channel and row by row: (features,)."""
        c, y, x = np.indices((self.channels, self.rows, self.columns)).reshape(3, -1)
        inside = c % self.together
        down, across = inside // self.gap[1], inside % self.gap[1]
        rows, columns = y * self.gap[0] + down, x * self.gap[1] + across
        return np.asarray(c // self.together * self.block + rows * self.row + columns * self.column)

    def ciphertexts(self, width: int) -> int:
        """How many ciphertexts of `width` places the tensor takes."""
        return int(self.places.max()) // width + 1


def power_of_two(count: int) -> int:
    """The smallest power of two that is at least `count`."""
    return 1 << (count - 1).bit_length()


def spread(rows: NDArray[np.float64], layout: Layout, width: int, samples: int) -> list[NDArray[np.float64]]:
    """Up to `samples` tensors (count, features) as the slots (width * samples,) of their ciphertexts.

    Place i of sample b is slot i * samples + b, so that a rotation by samples * k moves each by k places.
    """
    count = layout.ciphertexts(width)
    table = np.zeros((count * width, samples))
    table[layout.places, : len(rows)] = rows.T
    if layout.period < width:
        table = np.tile(table[: layout.period], (width // layout.period, 1))
    return [part.reshape(-1) for part in np.split(table, count)]


def gather(
    slots: list[NDArray[np.float64]], layout: Layout, width: int, samples: int, count: int
) -> NDArray[np.float64]:
    """The first `count` tensors (count, features) in the slots of their ciphertexts."""
    table = np.concatenate([part.reshape(width, samples) for part in slots])
    return table[layout.places, :count].T.copy()
