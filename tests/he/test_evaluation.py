import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import he
from he import layouts
from he.evaluation import STEPPED, Evaluation, noisy_scores
from he.model.graph import Graph, Node
from he.model.nonlinear import Activation
from he.model.outside import Outside


def test_noise_is_that_of_the_plans_own_steps(mlp: he.Model) -> None:
    """Of the samples behind those that take the steps: the same size within a fifth, seeds fixed."""
    rows = np.random.default_rng(3).uniform(-1, 1, size=(1400, 5))
    exact = layouts.clear(mlp.plan, mlp.layers, rows, None)[0]
    scores, outside = noisy_scores(mlp.plan, mlp.layers, rows, np.random.default_rng(0))
    stepped = layouts.clear(mlp.plan, mlp.layers, rows, np.random.default_rng(1))[0]
    first = max(STEPPED, mlp.plan.samples)
    noise, theirs = ((s - exact)[first:].std() for s in (scores, stepped))
    assert 0.8 < noise / theirs < 1.25
    assert outside == ()


def test_a_sample_that_overflows_is_no_noise(mlp: he.Model, rows: Any) -> None:
    many = np.tile(rows, (5, 1))
    expected = mlp.labels(mlp.predict_clear(many))
    many[[0, 3]] *= [[1e9], [1e12]]
    right = mlp.evaluate(many, expected)
    assert 1 - 2 / len(many) <= right <= 1


def test_the_same_data_give_the_same_answer(mlp: he.Model, rows: Any) -> None:
    labels = mlp.labels(mlp.predict_clear(rows))
    many, more = np.tile(rows, (5, 1)), np.tile(labels, 5)
    assert mlp.evaluate(many, more) == mlp.evaluate(many, more) == 1.0


def test_an_evaluation_is_a_number_that_shows_what_was_outside() -> None:
    found = Evaluation(0.75, (Outside("relu", 2, 8, 3, 0.5, (-1.0, 1.0)),))
    assert found == 0.75
    assert f"{found:.2f}" == "0.75"
    assert str(found) == repr(found)
    assert str(found) == "0.75\n2 of 8 samples leave [-1, 1] in relu, by up to 0.5 (3 values)"
    assert str(Evaluation(0.5, ())) == "0.5"
    assert pickle.loads(pickle.dumps(found)).outside == found.outside


def test_inputs_outside_the_fitted_ranges_are_reported() -> None:
    rng = np.random.default_rng(0)
    net = Graph(
        (4,),
        (
            Node("first", he.Dense(rng.normal(size=(8, 4)))),
            Node("act", Activation("relu"), (0,)),
            Node("last", he.Dense(rng.normal(size=(3, 8))), (1,)),
        ),
    )
    x = rng.normal(size=(64, 4))
    model = he.compile(net, samples=x, scale_bits=30)
    labels = net(x).argmax(1)
    assert model.evaluate(x, labels).outside == ()
    (found,) = model.evaluate(np.concatenate([x, 30 * x[:2]]), np.concatenate([labels, labels[:2]])).outside
    assert (found.samples, found.count) == (2, 66)
    assert found.farthest > 0
    with pytest.warns(UserWarning, match=r"1 of 2 samples lie outside .* \(row 1, column"):
        he.Client(model.plan).encrypt(np.stack([x[0], 30 * x[0]]))
    client = he.Client(model.plan.to_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.encrypt(x[:2])
