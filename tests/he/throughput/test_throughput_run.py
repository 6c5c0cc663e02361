import weakref
from typing import Any

import numpy as np
import pytest

import he
from he.engines.clear import ClearEvaluator
from he.model.blocks import of_graph
from he.model.graph import Graph, Layer, Node
from he.model.layers import Dense
from he.model.nonlinear import Polynomial
from he.throughput import run
from he.throughput.choose import predicted
from he.throughput.plan import ThroughputPlan, shapes_of

ROWS = np.random.default_rng(1).uniform(-1, 1, (600, 32))  # more than the 512 slots


@pytest.fixture(scope="module")
def model(residual: Graph, tiny: he.CkksSpec) -> he.Model:
    blocks = of_graph(residual)
    return he.Model(ThroughputPlan.make(tiny, 32, shapes_of(blocks)), blocks, np.arange(3))


@pytest.mark.parametrize("engine", ["native", "seal"])
def test_encrypted_and_clear_agree_within_the_predicted_noise(
    engine: str, model: he.Model, residual: Graph
) -> None:
    rows = ROWS if engine == "native" else ROWS[:7]
    client = he.Client(model.plan, engine=engine)
    server = he.Server(model, client.evaluation_keys())
    request = client.encrypt(rows.reshape(-1, 2, 4, 4))
    got = client.decrypt(server.predict(request))
    assert got.shape == (len(rows), 3)
    assert np.abs(got - model.predict_clear(rows)).max() < model.predicted_error(rows)
    assert np.abs(got - residual(rows.reshape(-1, 2, 4, 4))).max() < 2**-15
    assert model.evaluate(rows, got.argmax(axis=1)) == 1.0


@pytest.mark.parametrize("engine", ["native", "seal"])
def test_polynomials_on_an_interval_of_their_own(engine: str) -> None:
    """Degrees 1, 2 and 5, and what their argument's mapping to [-1, 1] does to weights and biases."""
    rng = np.random.default_rng(5)
    layers: list[Layer] = [
        Dense(rng.normal(size=(4, 3)) / 3, rng.normal(size=4)),
        Polynomial([0.3, 0.2, -0.1, 0.4, 0.0, 0.25], (-3, 5)),
        Dense(rng.normal(size=(3, 4)) / 3),
        Polynomial([0.5, 0.25, 0.125], (-2, 2)),
        Polynomial([0.5, 2.0], (-1, 3)),
        Dense(rng.normal(size=(2, 3))),
    ]
    graph = Graph((3,), tuple(Node(str(i), layer, (i - 1,)) for i, layer in enumerate(layers)))
    model = he.compile(
        graph, spec=he.CkksSpec(log_n=10, depth=10, special=2, insecure=True), optimise="throughput"
    )
    assert [s.shape.degree for s in model.plan.steps] == [5, 2, 1, 1]
    rows = rng.uniform(-1, 1, (20, 3))
    client = he.Client(model.plan, engine=engine)
    got = client.decrypt(he.Server(model, client.evaluation_keys()).predict(client.encrypt(rows)))
    assert np.abs(got - model.predict_clear(rows)).max() < model.predicted_error(rows) < 2**-15
    np.testing.assert_allclose(model.predict_clear(rows), graph(rows), rtol=0, atol=2**-30)


def test_sizes_are_what_the_plan_says(model: he.Model) -> None:
    client = he.Client(model.plan, engine="native")
    keys, request = client.evaluation_keys(), client.encrypt(ROWS[:2])
    response = he.Server(model, keys).predict(request)
    for given, planned in (
        (keys, model.plan.evaluation_key_bytes),
        (request, model.plan.request_bytes),
        (response, model.plan.response_bytes),
    ):
        assert 0 < len(given) - planned < 200


def test_parts_give_what_the_whole_gives(model: he.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predicted(model.plan, run.encode(model.plan, model.layers), ROWS[:9])
    monkeypatch.setattr(run, "PART_BYTES", 1 << 18)
    encoded = run.encode(model.plan, model.layers)
    assert [len(parts) for parts in encoded] == [8, 8, 1]
    again = predicted(model.plan, encoded, ROWS[:9])
    np.testing.assert_allclose(again[0], whole[0], rtol=0, atol=1e-12)


def test_each_feature_is_loaded_once_and_forgotten_after_its_last_use(
    tiny: he.CkksSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first block whose parts take different features: at no time are all of them there."""
    monkeypatch.setattr(run, "PART_BYTES", 1 << 18)
    net = [he.Dense(np.kron(np.eye(16), np.ones((2, 4)))), he.Square(), he.Dense(np.ones((1, 32)))]
    model = he.compile(net, spec=tiny, optimise="throughput")
    engine, alive, most, asked = ClearEvaluator(model.plan.params), set[int](), 0, list[int]()

    def feature(i: int) -> Any:
        nonlocal most
        x = engine.encrypt(ROWS[:5, i % 32], model.plan.input_level, model.plan.input_scale)
        asked.append(i)
        alive.add(i)
        most = max(most, len(alive))
        weakref.finalize(x, alive.discard, i)
        return x

    encoded = run.encode(model.plan, model.layers)
    assert len(encoded[0]) > 4
    run.run(model.plan, encoded, engine, feature)
    assert asked == list(range(64)) and most < 32 and not alive


def test_weights_too_large_are_refused(tiny: he.CkksSpec) -> None:
    model = he.compile([he.Dense([[2.0**14, 1.0]])], spec=tiny, optimise="throughput")
    with pytest.raises(ValueError, match=r"as an integer, expected less than 2\^53: scale it down"):
        model.predict_clear([[0.0, 0.0]])


def test_bad_inputs_are_refused(model: he.Model) -> None:
    client = he.Client(model.plan)
    for x, words in (
        (np.ones((2, 31)), "x has 31 columns, expected 32 columns"),
        (np.ones((2, 2, 4, 5)), r"x has shape \(2, 2, 4, 5\), expected 32 columns"),
        (np.full((1, 32), np.nan), "nan in row 0, column 0"),
    ):
        with pytest.raises(ValueError, match=words):
            client.encrypt(x)
    server = he.Server(model, client.evaluation_keys())
    request = client.encrypt(ROWS[:1])
    with pytest.raises(ValueError, match="bytes given, expected"):
        server.predict(request[:-1])
