"""Both layouts behind the same client, server and model."""

from typing import Literal

import numpy as np
import pytest

import he
from he import layouts

RNG = np.random.default_rng(0)
NET = [he.Dense(RNG.normal(size=(4, 3)) / 2), he.Square(), he.Dense(RNG.normal(size=(2, 4)) / 2)]
SPEC = he.CkksSpec(log_n=10, depth=3, special=2, insecure=True)


@pytest.mark.parametrize("optimise", ["latency", "throughput"])
def test_the_same_calls_give_the_same_scores(optimise: Literal["latency", "throughput"]) -> None:
    model = he.compile(NET, spec=SPEC, optimise=optimise)
    plan = layouts.plan_from_bytes(model.plan.to_bytes(), insecure=True)
    assert plan.id == model.plan.id
    x = RNG.uniform(-1, 1, (plan.samples + 3, 3))
    client = he.Client(plan)
    server = he.Server(model, client.evaluation_keys())
    exact = NET[2](NET[1](NET[0](x)))
    got = client.decrypt(server.predict(client.encrypt(x)))
    assert np.abs(got - model.predict_clear(x)).max() < model.predicted_error(x)
    np.testing.assert_allclose(model.predict_clear(x), exact, rtol=0, atol=1e-9)
    assert model.evaluate(x, exact.argmax(axis=1)) == 1.0


def test_a_client_takes_a_plan_as_bytes() -> None:
    model = he.compile(NET, samples=RNG.uniform(-1, 1, (9, 3)), optimise="throughput")
    assert repr(he.Client(model.plan.to_bytes())) == repr(he.Client(model.plan))
    with pytest.raises(ValueError, match="expected a plan of at most 4194304"):
        he.Client(bytes(1 << 23))
    with pytest.raises(ValueError, match="magic is"):
        he.Client(bytes(100))
