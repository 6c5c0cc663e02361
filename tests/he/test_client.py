import pickle
from typing import Any

import numpy as np
import pytest

import he
from he.ckks import noise
from he.ckks.flooding import flooding_sigma


def test_scores_come_back_for_one_sample_and_for_many(mlp: he.Model, parties: Any, rows: Any) -> None:
    client, server = parties
    expected = mlp.predict_clear(rows)
    got = client.decrypt(server.predict(client.encrypt(rows)))
    assert got.shape == (70, 3)
    assert np.abs(got - expected).max() < mlp.predicted_error(rows)
    one = client.decrypt(server.predict(client.encrypt(rows[0])))
    assert np.abs(one - expected[:1]).max() < mlp.predicted_error(rows)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((2, 4)), "x has 4 columns, expected 5 columns"),
        (np.ones((2, 2, 5)), r"x has shape \(2, 2, 5\), expected 5 columns"),
        (np.ones((0, 5)), "x has 0 rows"),
        ([[1, 2, 3, 4, np.nan]], r"nan in row 0, column 4 \(1 such values\)"),
        ([[1, np.inf, 3, 4, np.nan]], r"inf in row 0, column 1 \(2 such values\)"),
        (["a", "b", "c", "d", "e"], "could not convert string"),
    ],
)
def test_bad_inputs_are_refused(x: Any, message: str, parties: Any) -> None:
    with pytest.raises(ValueError, match=message):
        parties[0].encrypt(x)


def test_a_client_shows_and_pickles_no_secret(parties: Any) -> None:
    assert repr(parties[0]).startswith("Client(Plan(CkksParams(")
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(parties[0])


def test_damaged_scores_are_refused(parties: Any, rows: Any) -> None:
    client, server = parties
    response = bytearray(server.predict(client.encrypt(rows)))
    with pytest.raises(ValueError, match="kind is 'REQUEST', expected 'RESPONSE'"):
        client.decrypt(client.encrypt(rows))
    response[1000] ^= 4
    with pytest.raises(ValueError, match="checksum is"):
        client.decrypt(bytes(response))


def test_shared_scores_carry_more_noise(mlp: he.Model, rows: Any) -> None:
    client = he.Client(mlp.plan, engine="native")
    response = he.Server(mlp, client.evaluation_keys()).predict(client.encrypt(rows))
    error = mlp.predicted_error(rows)
    shared = np.abs(client.decrypt_to_share(response, error, bits=10) - mlp.predict_clear(rows)).max()
    sigma = flooding_sigma(error, 2.0**40, bits=10, queries=1)
    slot = noise.slot_deviation(mlp.plan.params, sigma**2, 2.0**40)
    assert slot < shared < 2.3 * 8 * slot  # the factors of a wide Gaussian are whole numbers
    with pytest.raises(ValueError, match="engine 'seal' decrypts for the owner of the key only"):
        seal = he.Client(mlp.plan, engine="seal")
        server = he.Server(mlp, seal.evaluation_keys())
        seal.decrypt_to_share(server.predict(seal.encrypt(rows)), error)


def test_both_engines_agree_within_the_predicted_error(mlp: he.Model, rows: Any) -> None:
    scores = []
    for engine in ("native", "seal"):
        client = he.Client(mlp.plan, engine=engine)
        server = he.Server(mlp, client.evaluation_keys())
        scores.append(client.decrypt(server.predict(client.encrypt(rows))))
    assert np.abs(scores[0] - scores[1]).max() < 2 * mlp.predicted_error(rows)
    assert mlp.predicted_error(rows) < 2**-18


def test_an_unknown_engine_is_refused(mlp: he.Model) -> None:
    with pytest.raises(ValueError, match="engine is 'gpu', expected"):
        he.Client(mlp.plan, engine="gpu")
