"""Linear models on shares: the steps of the clear ones, whoever holds which part of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression as ClearRegression
from sklearn.linear_model import Ridge as ClearRidge
from sklearn.svm import LinearSVC as ClearSVC

import mpc
from mpc.descent import Linear
from mpc.linear import LinearRegression, LinearSVC, LogisticRegression, Ridge
from mpc.released import LinearModel

Table = np.ndarray[Any, Any]
# Of CrypTen's sigmoid, over these patients; its largest error anywhere is 2^-8.
MEAN_SIGMOID_ERROR = 0.0006
TRAINING = mpc.LogisticRegression(steps=5, learning_rate=0.5, l2=0.01)


def table() -> tuple[Table, Table]:
    x, y = load_breast_cancer(return_X_y=True)
    return mpc.Scaling.of(x).apply(x), y.reshape(-1, 1).astype(float)


def diabetes() -> tuple[Table, Table]:
    x, y = load_diabetes(return_X_y=True)
    return mpc.Scaling.of(x).apply(x), mpc.Scaling.of(y.reshape(-1, 1)).apply(y.reshape(-1, 1))


def iris() -> tuple[Table, Table]:
    x, y = load_iris(return_X_y=True)
    return mpc.Scaling.of(x).apply(x), np.eye(3)[y]


def vertical(party: mpc.Party) -> LinearModel | None:
    x, y = table()
    widths = {0: {"party-0": 30}, 1: {"party-0": 12, "party-1": 18}, 2: dict.fromkeys(party.names, 10)}
    mine = widths[party.world_size - 1]
    start = sum(list(mine.values())[: party.rank])
    own = x[:, start : start + mine[party.name]]
    last = party.world_size - 1
    shared_y = party.secret(y if party.rank == last else None, owner=last, size=y.shape)
    shared_x = mpc.join_columns(party, own, mine, len(x))
    return clone(TRAINING).fit(shared_x, shared_y).reveal(party, to=party.names)  # type: ignore[no-any-return]


def clear(model: Linear, x: Table, y: Table) -> LinearModel:
    return model.fit(torch.from_numpy(x), torch.from_numpy(y)).in_the_clear()


def assert_same(secure: LinearModel | None, exact: LinearModel) -> None:
    """Rate 0.5 and momentum 0.8 over five steps pass on at most 12.5 times the mean error of the sigmoid."""
    assert secure is not None
    bound = 12.5 * MEAN_SIGMOID_ERROR
    assert np.abs(secure.weights - exact.weights).max() < bound
    assert np.abs(secure.bias - exact.bias).max() < bound


@pytest.mark.parametrize("parties", [1, 3])
def test_vertical_training_matches_the_clear(parties: int) -> None:
    for model in mpc.run_local(vertical, parties):
        assert_same(model, clear(TRAINING, *table()))


# Name: model, data, largest difference of a weight from training in the clear. Linear losses only round:
# at each step by a few units of 2^-16, passed on at most steps times; the others add the error of their
# function, 0.0006 for a sigmoid and 0.004 for a softmax of three, times rate / (1 - momentum) = 2.5 and 2.
MODELS: dict[str, tuple[Linear, Any, float]] = {
    "least squares": (LinearRegression(steps=15), diabetes, 0.002),
    "ridge": (Ridge(steps=15, l2=0.1, schedule="invscaling"), diabetes, 0.002),
    "batches": (
        LogisticRegression(
            steps=6, batch_size=64, learning_rate=0.5, l2=0.01, schedule="cosine", class_weight="balanced"
        ),
        table,
        15 * MEAN_SIGMOID_ERROR,
    ),
    "multinomial": (LogisticRegression(steps=5, learning_rate=0.4, class_weight=(1, 2, 1)), iris, 0.02),
    "vectors": (LinearSVC(steps=5, batch_size=50, l2=0.01), table, 0.005),
    "vectors for three": (LinearSVC(steps=5), iris, 0.005),
}


def secure_models(party: mpc.Party) -> dict[str, Any]:
    """Every model, horizontally split between two, with its predictions and score for the first rows."""
    results = {}
    for name, (model, data, _) in MODELS.items():
        x, y = data()
        cut = len(x) // 3
        rows = slice(0, cut) if party.rank == 0 else slice(cut, None)
        heights = {"party-0": cut, "party-1": len(x) - cut}
        shared_x = mpc.join_rows(party, x[rows], heights, x.shape[1])
        shared_y = mpc.join_rows(party, y[rows], heights, y.shape[1])
        model.fit(shared_x, shared_y)
        few_x, few_y = shared_x[50:130], shared_y[50:130]
        results[name] = [
            model.reveal(party, to=["party-1"]),
            party.reveal(model.predict(few_x)),
            party.reveal(model.score(few_x, few_y)),
        ]
    results["stopped"] = stopping(party)
    results["horizontal rounds"] = party.cost().rounds
    return results


def stopping(party: mpc.Party | None) -> LinearModel | None:
    """Labels of the validation rows are swapped, so that no check after the first is better."""
    x, y = table()
    model = LogisticRegression(steps=500, check_every=2, patience=2, learning_rate=0.1)
    parts = [x[:300, :3], y[:300], x[300:400, :3], 1 - y[300:400]]
    if party is None:
        a, b, c, d = (torch.from_numpy(part) for part in parts)
        return model.fit(a, b, validation=(c, d)).in_the_clear()
    a, b, c, d = (party.secret(part if party.rank == 0 else None, owner=0, size=part.shape) for part in parts)
    return model.fit(a, b, validation=(c, d)).reveal(party, to=[0, 1])


def test_every_model_on_shares_matches_the_clear() -> None:
    first, second = mpc.run_local(secure_models, 2)
    for name, (model, data, bound) in MODELS.items():
        x, y = data()
        exact = clear(model, x, y)
        assert first[name][0] is None, "revealed to the second party only"
        secure = second[name][0]
        assert np.abs(secure.weights - exact.weights).max() < bound, name
        assert np.abs(secure.bias - exact.bias).max() < bound, name
        few = torch.from_numpy(x[50:130])
        ours, theirs = model.predict(few), first[name][1].double()
        if model.classifies:
            assert (ours - theirs).abs().gt(0.01).sum() <= 1, name
            assert abs(first[name][2].item() - model.score(few, torch.from_numpy(y[50:130])).item()) < 0.02
        else:
            assert (ours - theirs).abs().max() < 0.02, name
            assert abs(first[name][2].item() - model.score(few, torch.from_numpy(y[50:130])).item()) < 0.01
    stopped, exact_stopped = first["stopped"], stopping(None)
    assert exact_stopped is not None
    assert np.abs(stopped.weights - exact_stopped.weights).max() < 0.005


def test_least_squares_agree_with_scikit_learn() -> None:
    x, y = diabetes()
    ours = clear(Ridge(steps=3000, l2=0.05, learning_rate=0.2), x, y)
    theirs = ClearRidge(alpha=0.05 * len(x)).fit(x, y.ravel())
    assert np.abs(ours.weights[:, 0] - theirs.coef_).max() < 1e-6


def test_logistic_regression_agrees_with_scikit_learn() -> None:
    x, y = table()
    ours = clear(LogisticRegression(steps=800, learning_rate=0.5, l2=0.05, class_weight="balanced"), x, y)
    theirs = ClearRegression(C=1 / (0.05 * len(x)), class_weight="balanced", tol=1e-8).fit(x, y.ravel())
    assert np.abs(ours.weights[:, 0] - theirs.coef_[0]).max() < 1e-4
    x, y = iris()
    ours = clear(LogisticRegression(steps=2000, learning_rate=0.5, l2=0.05), x, y)
    theirs = ClearRegression(C=1 / (0.05 * len(x)), tol=1e-8).fit(x, y.argmax(axis=1))
    assert np.abs(ours.weights - theirs.coef_.T).max() < 1e-3
    assert (ours.predict(x) == theirs.predict(x)).all()


def test_support_vectors_agree_with_scikit_learn() -> None:
    x, y = table()
    ours = clear(LinearSVC(steps=3000, learning_rate=0.02, l2=0.5), x, y)
    # Theirs penalises the bias too, unless its column is scaled up.
    theirs = ClearSVC(C=1 / (0.5 * len(x)), intercept_scaling=100.0, tol=1e-8, max_iter=100_000)
    theirs.fit(x, y.ravel())
    assert np.abs(ours.weights[:, 0] - theirs.coef_[0]).max() < 1e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "were expected, got 0"),
        ({"learning_rate": 0.0}, "were expected, got"),
        ({"momentum": 1.0}, "were expected, got"),
        ({"l2": -1.0}, "l2 must be 0 or at least"),
        ({"l2": 1e-6}, "l2 must be 0 or at least 2.-16, the fixed-point unit, got 1e-06"),
        ({"schedule": "linear"}, "schedule must be one of .* got 'linear'"),
        ({"patience": 0}, "check_every and patience >= 1"),
        ({"tol": 1e-5}, "tol must be at least 2.-12, beyond the rounding of scores, got 1e-05"),
        ({"class_weight": "equal"}, "class_weight must be None"),
        ({"class_weight": (1, -1)}, "class_weight must be None"),
        ({"colour": 1}, r"\['colour'\] are no settings"),
    ],
    ids=str,
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    model = LogisticRegression(steps=7)
    with pytest.raises(ValueError, match=message):
        model.set_params(**settings)
    assert model.get_params() == LogisticRegression(steps=7).get_params()
    assert clone(model).set_params(steps=8).steps == 8


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((5, 3), (5,), r"y of shape \(5, outputs\) was expected, got \(5,\)"),
        ((5, 3), (4, 1), r"y of shape \(5, outputs\) was expected, got \(4, 1\)"),
        ((5,), (5, 1), r"x of shape \(rows, features\) was expected, got \(5,\)"),
        ((0, 3), (0, 1), r"x of shape \(rows, features\) was expected, got \(0, 3\)"),
    ],
)
def test_other_shapes_are_refused(x: tuple[int, ...], y: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TRAINING.fit(torch.zeros(x), torch.zeros(y))


def test_misuse_is_refused() -> None:
    x, y = torch.zeros(5, 3), torch.zeros(5, 1)
    with pytest.raises(ValueError, match="not trained yet"):
        LinearSVC().predict(x)
    with pytest.raises(ValueError, match="batch_size must be from 1 to 5, the number of rows, got 6"):
        LinearSVC(batch_size=6).fit(x, y)
    with pytest.raises(ValueError, match="2 class weights were expected, got 3"):
        LinearSVC(class_weight=(1, 1, 1)).fit(x, y)
    with pytest.raises(ValueError, match="give both or neither"):
        LinearSVC().fit(x, y, validation=(x, y))
    with pytest.raises(ValueError, match=r"x of shape \(rows, 3\) was expected, got \(2, 4\)"):
        LinearSVC(steps=1).fit(x, y).predict(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="to must be a list of the parties"):
        LinearSVC(steps=1).fit(x, y).reveal(None, to="party-0")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\(rows, 2\) was expected, got \(1, 3\)"):
        LinearModel(np.zeros((2, 1)), np.zeros(1)).predict(np.zeros((1, 3)))
    assert "coef" not in repr(LinearSVC(steps=1).fit(x, y))
