"""What the layers' constructors check and how they keep their arrays."""

import numpy as np
from numpy.typing import NDArray

from he.model.convolution import Floats


def expect_finite(names: str, *arrays: Floats) -> None:
    """ValueError if an array holds NaN or infinity."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{names} hold NaN or infinity, expected finite numbers")


def freeze(layer: object, **arrays: NDArray[np.float64] | NDArray[np.intp]) -> None:
    """Set the arrays as fields of a frozen dataclass, read-only."""
    for name, array in arrays.items():
        array.setflags(write=False)
        object.__setattr__(layer, name, array)
