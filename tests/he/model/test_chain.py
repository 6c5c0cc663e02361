import numpy as np
import pytest

from he.model.chain import chain
from he.model.layers import Dense
from he.model.nonlinear import Square


def test_neighbouring_dense_layers_are_merged() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        Dense(rng.normal(size=(4, 3)), rng.normal(size=4)),
        Dense(rng.normal(size=(2, 4)), rng.normal(size=2)),
    )
    (merged,) = chain([a, b])
    x = rng.normal(size=(5, 3))
    np.testing.assert_allclose(merged(x), b(a(x)), rtol=0, atol=1e-12)
    assert len(chain([a, Square(), b])) == 3


def test_layers_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="layer 2 takes 3 inputs, expected 2 from the layer before"):
        chain([Dense(np.ones((2, 3))), Square(), Dense(np.ones((2, 3)))])
    with pytest.raises(ValueError, match="1 layers and none is Dense"):
        chain([Square()])
    with pytest.raises(TypeError, match="layer 1 is str, expected"):
        chain([Square(), "relu"])
