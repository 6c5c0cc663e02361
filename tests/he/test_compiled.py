from typing import Any

import numpy as np
import pytest

import he


def test_clear_predictions_are_the_layers_own(mlp: he.Model, rows: Any) -> None:
    expected = rows
    for layer in mlp.layers:
        expected = layer(expected)
    np.testing.assert_allclose(mlp.predict_clear(rows), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mlp.predict_clear(rows[0]), expected[:1], rtol=0, atol=1e-12)


def test_evaluate_is_the_share_of_right_classes(mlp: he.Model, rows: Any) -> None:
    labels = mlp.labels(mlp.predict_clear(rows))
    wrong = labels.copy()
    wrong[:7] = (wrong[:7] + 1) % 3
    assert mlp.evaluate(rows, labels) == 1.0
    assert mlp.evaluate(rows, wrong) == 0.9
    with pytest.raises(ValueError, match=r"y has shape \(3,\), expected \(70,\)"):
        mlp.evaluate(rows, [1, 2, 3])


def test_one_score_decides_by_its_sign() -> None:
    model = he.compile([he.Dense([[1.0, -1.0]])])
    np.testing.assert_array_equal(model.labels(np.array([[-0.1], [0.1]])), [0, 1])


def test_the_repr_shows_no_weights(mlp: he.Model) -> None:
    assert repr(mlp).startswith("Model(Plan(CkksParams(")
    assert "0." not in repr(mlp)
