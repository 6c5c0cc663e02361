"""Real data in the throughput layout: everybody gets the class that the network in the clear gives."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import he


def test_encrypted_digits_get_scikit_learns_classes() -> None:
    """897 digits of 64 pixels at once, secure parameters; the plan's bound holds on all of them.

    Two scores of one digit are 5e-6 apart: the precision has to tell them from each other.
    """
    x, y = load_digits(return_X_y=True)
    net = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x[::2], y[::2])
    model = he.compile(net, samples=x[::2], optimise="throughput", precision=20)
    assert model.plan.params.security >= 128
    client = he.Client(model.plan)
    server = he.Server(model, client.evaluation_keys())
    scores = client.decrypt(server.predict(client.encrypt(x[1::2])))
    np.testing.assert_array_equal(model.labels(scores), net.predict(x[1::2]))
    assert np.abs(scores - model.predict_clear(x[1::2])).max() < model.predicted_error(x[1::2])
    assert model.evaluate(x[1::2], y[1::2]) == net.score(x[1::2], y[1::2])
