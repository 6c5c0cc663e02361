from typing import Any

import numpy as np
import pytest
from sklearn import linear_model as lm
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from he.model import sklearn

X, Y = load_iris(return_X_y=True)
TWO = Y < 2


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "model",
    [
        lm.LogisticRegression(max_iter=1000),
        LinearSVC(),
        lm.RidgeClassifier(),
        lm.SGDClassifier(random_state=0),
    ],
    ids=lambda m: type(m).__name__,
)
def test_scores_of_linear_classifiers(model: Any, classes: int) -> None:
    x, y = X[classes > Y], np.array(["a", "b", "c"])[Y[classes > Y]]
    model.fit(x, y)
    graph, labels = sklearn.read(model)
    np.testing.assert_allclose(graph(x).squeeze(), model.decision_function(x), rtol=0, atol=1e-9)
    assert list(labels) == list(model.classes_)


@pytest.mark.parametrize(
    "model",
    [
        *(lm.LinearRegression(), lm.Ridge(), lm.Lasso(0.01), lm.ElasticNet(0.01), lm.SGDRegressor()),
        *(LinearSVR(), SVR(kernel="poly", degree=2, coef0=0.5), SVR(kernel="linear")),
        MLPRegressor(hidden_layer_sizes=(8, 5), activation="tanh", max_iter=50, random_state=0),
        MLPRegressor(hidden_layer_sizes=(8,), activation="identity", max_iter=50, random_state=0),
    ],
    ids=lambda m: type(m).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_of_regressors(model: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), model).fit(X[:, :3], X[:, 3])
    graph, _ = sklearn.read(pipeline)
    np.testing.assert_allclose(graph(X[:, :3])[:, 0], pipeline.predict(X[:, :3]), rtol=0, atol=1e-9)


def test_several_targets_at_once() -> None:
    model = lm.Ridge().fit(X[:, :2], X[:, 2:])
    np.testing.assert_allclose(sklearn.read(model)[0](X[:, :2]), model.predict(X[:, :2]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kernel", [{}, {"degree": 2, "coef0": 1.0, "gamma": 0.1}, {"kernel": "linear"}])
def test_polynomial_kernels(kernel: dict[str, Any]) -> None:
    model = make_pipeline(MinMaxScaler(), SVC(**{"kernel": "poly", **kernel})).fit(X[TWO], Y[TWO])
    graph, labels = sklearn.read(model)
    np.testing.assert_allclose(graph(X[TWO])[:, 0], model.decision_function(X[TWO]), rtol=0, atol=1e-9)
    assert list(labels) == [0, 1]


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_perceptrons_up_to_their_softmax(activation: Any, classes: int) -> None:
    x, y = X[classes > Y], Y[classes > Y]
    model = make_pipeline(StandardScaler(), MLPClassifier((7, 5), activation, max_iter=30, random_state=0))
    model.fit(x, y)
    graph, labels = sklearn.read(model)
    scores = graph(x)
    if classes == 2:
        chances = 1 / (1 + np.exp(-scores[:, 0]))
        np.testing.assert_allclose(chances, model.predict_proba(x)[:, 1], rtol=0, atol=1e-12)
    else:
        chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        np.testing.assert_allclose(chances, model.predict_proba(x), rtol=0, atol=1e-12)
    assert list(labels) == list(range(classes))


@pytest.mark.parametrize(
    "before",
    [
        *([StandardScaler(with_mean=False)], [StandardScaler(with_std=False)], [MinMaxScaler((-1, 2))]),
        *([PCA(2)], [StandardScaler(), PCA(3, whiten=True)], ["passthrough", make_pipeline(MinMaxScaler())]),
    ],
    ids=str,
)
def test_what_stands_before_the_model(before: list[Any]) -> None:
    model = make_pipeline(*before, lm.LogisticRegression(max_iter=1000)).fit(X, Y)
    graph, _ = sklearn.read(model)
    np.testing.assert_allclose(graph(X), model.decision_function(X), rtol=0, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(TypeError, match="RandomForestClassifier given, expected one of LogisticRegression"):
        sklearn.read(RandomForestClassifier())
    with pytest.raises(ValueError, match="LogisticRegression is not fitted"):
        sklearn.read(lm.LogisticRegression())
    with pytest.raises(TypeError, match="RobustScaler given before the model, expected one of Standard"):
        sklearn.read(make_pipeline(RobustScaler(), lm.Ridge()))
    with pytest.raises(TypeError, match=r"MinMaxScaler\(clip=True\) given"):
        sklearn.read(make_pipeline(MinMaxScaler(clip=True), lm.Ridge()))
    with pytest.raises(TypeError, match="SVC with kernel 'rbf' given, expected 'poly' or 'linear'"):
        sklearn.read(SVC())
    with pytest.raises(TypeError, match="SVC of 3 classes given, expected 2"):
        sklearn.read(SVC(kernel="poly").fit(X, Y))
    labels = MLPClassifier((3,), max_iter=1).fit(X, np.stack([TWO, TWO], 1).astype(int))
    with pytest.raises(TypeError, match="MLPClassifier of 2 labels at once given"):
        sklearn.read(labels)
    assert not sklearn.recognises([])
