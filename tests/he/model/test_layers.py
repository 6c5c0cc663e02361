import numpy as np
import pytest

from he.model.layers import Dense, Square, chain


@pytest.mark.parametrize(
    ("weights", "bias", "message"),
    [
        (np.ones(3), 0, r"weights have shape \(3,\), expected \(outputs, inputs\)"),
        (np.ones((0, 3)), 0, r"weights have shape \(0, 3\)"),
        (np.ones((2, 3)), np.ones(3), r"bias has shape \(3,\), expected \(2,\) for 2 outputs"),
        ([[1, np.nan]], 0, "NaN or infinity"),
        ([[1, 2]], np.inf, "NaN or infinity"),
        (np.zeros((2, 2)), 1, "all 4 weights are zero"),
    ],
)
def test_bad_weights_are_refused(weights: object, bias: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dense(weights, bias)  # type: ignore[arg-type]


def test_layers_are_frozen_and_show_no_weights() -> None:
    dense = Dense([[0.123456, 2]])
    assert repr(dense) == "Dense(2 -> 1)"
    with pytest.raises(ValueError, match="read-only"):
        dense.weights[0, 0] = 1


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
