"""Pipelines of scikit-learn on tables: encrypted, each row of the test set gets the class of the clear."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import he

ADULT = Path(__file__).parents[2].parent / "shared" / "data" / "adult.npz"


def adult() -> Any:
    """(x_train, y_train, x_test, y_test) with a column for each category."""
    if not ADULT.exists():
        pytest.skip("needs ../shared/data/adult.npz, the census income data of the UCI repository")
    with np.load(ADULT) as data:
        sizes = 1 + np.maximum(data["cat_train"].max(0), data["cat_test"].max(0)).astype(int)

        def table(part: str) -> Any:
            columns = data[f"cat_{part}"]
            return np.hstack([data[f"num_{part}"], *(np.eye(n)[columns[:, i]] for i, n in enumerate(sizes))])

        return table("train"), data["y_train"], table("test"), data["y_test"]


def encrypted(net: Any, train: Any, test: Any, **options: Any) -> tuple[Any, Any]:
    """(classes of the rows of test by way of ciphertexts, by the plan in the clear), at 128 bits."""
    model = he.compile(net, samples=train, **options)
    assert model.plan.params.security >= 128
    client = he.Client(model.plan)
    server = he.Server(model, client.evaluation_keys())
    scores = client.decrypt(server.predict(client.encrypt(test)))
    return model.labels(scores), model.labels(model.predict_clear(test))


@pytest.mark.filterwarnings("ignore:.* samples lie outside the range")
@pytest.mark.parametrize(
    "model",
    [LogisticRegression(), MLPClassifier((8,), activation="tanh", max_iter=600, random_state=0)],
    ids=["logistic", "perceptron"],
)
def test_breast_cancer(model: Any) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    net = make_pipeline(StandardScaler(), model).fit(x[::2], y[::2])
    labels, clear = encrypted(net, x[::2], x[1::2])
    np.testing.assert_array_equal(labels, clear)
    np.testing.assert_array_equal(labels, net.predict(x[1::2]))


def test_adult_by_logistic_regression() -> None:
    """All 16281 rows, side by side."""
    train, y, test, _ = adult()
    net = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(train[:8000], y[:8000])
    labels, clear = encrypted(net, train[:8000], test, optimise="throughput", precision=20)
    np.testing.assert_array_equal(labels, clear)
    np.testing.assert_array_equal(labels, net.predict(test))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_adult_by_a_perceptron() -> None:
    """All 16281 rows; where the network itself is in doubt, a polynomial may decide otherwise."""
    train, y, test, _ = adult()
    perceptron = MLPClassifier((8,), activation="logistic", max_iter=60, random_state=0)
    net = make_pipeline(StandardScaler(), perceptron).fit(train[:8000], y[:8000])
    labels, clear = encrypted(net, train[:8000], test, optimise="throughput")
    assert np.mean(labels != clear) < 0.001
    assert np.mean(labels == net.predict(test)) > 0.99
