"""Public scaling of a party's own columns."""

import numpy as np

from mpc.data import Scaling


def test_scaling_standardises_and_leaves_constant_columns_at_zero() -> None:
    table = np.array([[1.0, 5.0], [3.0, 5.0]])
    assert Scaling.of(table).apply(table).tolist() == [[-1.0, 0.0], [1.0, 0.0]]
