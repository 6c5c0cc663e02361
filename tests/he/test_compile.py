import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import he


@pytest.mark.parametrize(
    ("load", "outputs", "precision"), [(load_breast_cancer, 1, 12), (load_digits, 10, 20)]
)
def test_encrypted_and_clear_predictions_agree(load: object, outputs: int, precision: int) -> None:
    """Real data, secure parameters: all test rows get the class that scikit-learn gives them.

    One digit's two best scores are 5e-6 apart: the precision has to tell them from each other.
    """
    x, y = load(return_X_y=True)  # type: ignore[operator]
    net = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x[::2], y[::2])
    test_x, test_y = x[1::2], y[1::2]
    model = he.compile(net, samples=x[::2], precision=precision)
    client = he.Client(model.plan)
    server = he.Server(model, client.evaluation_keys())
    scores = client.decrypt(server.predict(client.encrypt(test_x)))
    assert scores.shape == (len(test_x), outputs)
    np.testing.assert_array_equal(model.labels(scores), net.predict(test_x))
    assert model.evaluate(test_x, test_y) == net.score(test_x, test_y)
    assert model.plan.params.security >= 128


def test_a_torch_network_is_compiled() -> None:
    from torch import nn

    model = he.compile(nn.Sequential(nn.Linear(5, 4), nn.Flatten(), nn.Linear(4, 2)))
    (shape,) = model.plan.shapes
    assert (model.plan.features, shape.layout.features, shape.degree) == (5, 2, 1)


def test_the_smallest_ring_is_chosen() -> None:
    deep = [he.Dense(np.eye(2)), he.Square()] * 3
    assert he.compile(deep[:1]).plan.params.n == 2**13  # 50 + 40 + 50 = 140 of 214 bits
    assert he.compile(deep).plan.params.n == 2**14  # 50 + 6 * 40 + 50 = 340 of 430 bits
    assert he.compile(deep[:1], security=256).plan.params.n == 2**14
    wide = he.compile([he.Dense(np.ones((1, 5000)))]).plan
    assert wide.params.n == 2**13  # in two ciphertexts of 4096 slots
    assert wide.input_layout.ciphertexts(wide.width) == 2


def test_what_no_parameters_carry_is_refused() -> None:
    deep = [he.Dense(np.eye(2)), he.Square()] * 50
    with pytest.raises(
        ValueError, match=r"the network needs 100 levels \(2 of them Dense.*expected at most 85, which end in"
    ):
        he.compile(deep)
    with pytest.raises(ValueError, match="security is 100, expected one of"):
        he.compile(deep, security=100)
    with pytest.raises(TypeError, match="int given, expected a scikit-learn or torch model"):
        he.compile(3)


def test_samples_with_scores_that_wrap_round_are_refused() -> None:
    with pytest.raises(ValueError, match="the samples' scores reach 1000, expected less than 512"):
        he.compile([he.Dense([[1.0]])], samples=[[1000.0]], scale_bits=40)
    assert he.compile([he.Dense([[1.0]])], samples=[[1000.0]]).plan.largest_score > 1000
