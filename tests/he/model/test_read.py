"""Networks of every kind through he.compile, encrypted where they are small."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import he
from he.model.read import read

SPEC = he.CkksSpec(log_n=11, depth=9, special=2, insecure=True)


def test_a_torch_network_with_a_relu_runs_encrypted() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, stride=2, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(12, 2)
    )
    x = np.random.default_rng(0).normal(size=(64, 1, 8, 8))
    model = he.compile(net, samples=x, spec=SPEC)
    client = he.Client(model.plan)
    server = he.Server(model, client.evaluation_keys())
    got = client.decrypt(server.predict(client.encrypt(x[:2])))
    assert np.abs(got - model.predict_clear(x[:2])).max() < model.predicted_error(x[:2])
    exact = net(torch.from_numpy(x).float()).detach().numpy()
    error = np.sqrt(np.mean((model.predict_clear(x) - exact) ** 2)) / exact.std()
    assert error < 0.1


def test_a_perceptron_behind_a_scaler_agrees_with_scikit_learn() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    net = make_pipeline(
        StandardScaler(), MLPClassifier((8,), activation="tanh", max_iter=800, random_state=0)
    ).fit(x[::2], y[::2])
    model = he.compile(net, samples=x[::2], precision=6)
    assert model.plan.params.security >= 128
    assert abs(model.evaluate(x[1::2], y[1::2]) - net.score(x[1::2], y[1::2])) <= 0.01


def test_a_last_sigmoid_is_left_out_and_the_sign_tells_the_class() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())
    x = np.random.default_rng(0).normal(size=(64, 4))
    model = he.compile(net, samples=x)
    labels = model.labels(model.predict_clear(x))
    expected = net(torch.from_numpy(x).float()).detach().numpy()[:, 0] > 0.5
    assert set(expected.tolist()) == {False, True}
    np.testing.assert_array_equal(labels, expected)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(TypeError, match="str given, expected a scikit-learn or torch model"):
        read("relu")
    with pytest.raises(ValueError, match=r"no samples given, expected at least 32 to fit the range of"):
        read(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
