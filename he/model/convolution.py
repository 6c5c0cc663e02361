"""The windows of a convolution: which entries of an image each place of the kernel meets."""

from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]
Padding: TypeAlias = tuple[Pair, Pair]


@dataclass(frozen=True, eq=False)
class Windows:
    """rows (kernel height, output height), columns (kernel width, output width): where in the image each
    place of the kernel stands; below 0 or beyond the image it meets the zeros of the padding.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    image: Pair

    @classmethod
    def of(cls, shape: Shape, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair) -> Self:
        """For an input (channels, height, width); ValueError if the kernel does not fit into it."""
        axes = []
        for size, k, step, (before, after), spread in zip(
            shape[1:], kernel, stride, padding, dilation, strict=True
        ):
            count = (size + before + after - spread * (k - 1) - 1) // step + 1
            if count < 1:
                raise ValueError(f"a kernel of {kernel} given, expected one that fits into {shape} padded")
            axes.append(spread * np.arange(k)[:, None] + step * np.arange(count)[None] - before)
        return cls(axes[0], axes[1], (shape[1], shape[2]))

    @property
    def counts(self) -> Pair:
        """(output height, output width)."""
        return self.rows.shape[1], self.columns.shape[1]

    def patches(self, x: Floats) -> Floats:
        """x (batch, channels, height, width) -> (batch, channels, kh, kw, output height, output width)."""
        height, width = self.image
        rows, columns = self.rows[:, None, :, None], self.columns[None, :, None, :]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        picked = x[:, :, rows.clip(0, height - 1), columns.clip(0, width - 1)]
        return np.where(inside, picked, 0.0)

    def places(self) -> NDArray[np.intp]:
        """(kh, kw, output height, output width): the place in a flattened channel, -1 in the padding."""
        height, width = self.image
        rows, columns = self.rows[:, None, :, None], self.columns[None, :, None, :]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return np.where(inside, rows * width + columns, -1)
