import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from he.model import sklearn

X, Y = load_iris(return_X_y=True)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("scaler", [{}, {"with_mean": False}, {"with_std": False}, None])
def test_scores_are_the_decision_function(classes: int, scaler: dict[str, bool] | None) -> None:
    x, y = X[classes > Y], Y[classes > Y]
    steps = [] if scaler is None else [StandardScaler(**scaler)]
    model = make_pipeline(*steps, LogisticRegression(max_iter=1000)).fit(x, y)
    (dense,), labels = sklearn.read(model)
    np.testing.assert_allclose(dense(x).squeeze(), model.decision_function(x), rtol=0, atol=1e-9)
    assert list(labels) == list(model.classes_)


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(TypeError, match="Ridge given, expected LogisticRegression"):
        sklearn.read(Ridge())
    with pytest.raises(ValueError, match="LogisticRegression is not fitted"):
        sklearn.read(LogisticRegression())
    model = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)).fit(X, Y)
    with pytest.raises(TypeError, match="MinMaxScaler given before the model, expected StandardScaler"):
        sklearn.read(model)
    assert not sklearn.recognises([])
