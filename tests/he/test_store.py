import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import he
from he import store
from he.ckks import frame
from he.model.graph import INPUT, Graph, Node
from he.model.layers import Add, Concat, Conv, Dense, Reindex, Scale
from he.model.nonlinear import Activation, Polynomial, Square

RNG = np.random.default_rng(0)


@pytest.fixture(params=["latency", "throughput"])
def model(request: pytest.FixtureRequest) -> he.Model:
    net = [
        he.Dense(RNG.normal(size=(4, 3)), RNG.normal(size=4)),
        he.Square(),
        he.Dense(RNG.normal(size=(2, 4))),
    ]
    spec = he.CkksSpec(log_n=10, depth=3, special=2, insecure=True)
    return he.compile(net, spec=spec, optimise=request.param)


def test_a_model_comes_back_from_its_file(model: he.Model, tmp_path: Path) -> None:
    path = tmp_path / "model"
    model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    again = he.Model.load(path, insecure=True)
    assert again.plan == model.plan
    x = RNG.normal(size=(5, 3))
    np.testing.assert_array_equal(again.predict_clear(x), model.predict_clear(x))
    np.testing.assert_array_equal(again.classes, model.classes)
    client = he.Client(again.plan)
    scores = client.decrypt(he.Server(again, client.evaluation_keys()).predict(client.encrypt(x)))
    assert np.abs(scores - model.predict_clear(x)).max() < model.predicted_error(x)
    with pytest.raises(ValueError, match="the parameters given are insecure"):
        he.Model.load(path)


@pytest.mark.parametrize("classes", [["no", "yes"], [3, 7], [0.5, 1.5]])
def test_labels_of_every_kind(classes: Any, model: he.Model) -> None:
    data = store.dump(model.plan, model.layers, np.array(classes))
    np.testing.assert_array_equal(store.load(data, insecure=True)[2], classes)
    objects = np.array([object(), 1])
    with pytest.raises(TypeError, match="expected numbers or text"):
        store.dump(model.plan, model.layers, objects)


def test_every_kind_of_layer_comes_back() -> None:
    graph = Graph(
        (2, 3, 3),
        (
            Node(
                "conv", Conv(RNG.normal(size=(2, 1, 2, 2)), stride=(2, 1), padding=((0, 1), (1, 0)), groups=2)
            ),
            Node("scale", Scale(2.0, RNG.normal(size=(2, 1, 1))), (0,)),
            Node("square", Square(), (1,)),
            Node("add", Add(), (1, 2)),
            Node("concat", Concat(1), (3, 2)),
            Node("poly", Polynomial([0.0, 1.0, 2.0], (-2, 3), "relu"), (4,)),
            Node("tanh", Activation("tanh"), (5,)),
            Node("flat", Reindex.reshape((2, 4, 3), (24,)), (6,)),
            Node("dense", Dense(RNG.normal(size=(1, 24))), (7,)),
        ),
    )
    arrays = store._Arrays()
    tree = json.loads(json.dumps(store._tree(graph, arrays)))
    again = store._object(tree, store._Source(memoryview(b"".join(arrays.parts))), store.DEEPEST)
    x = RNG.normal(size=(2, 2, 3, 3))
    np.testing.assert_array_equal(again(x), graph(x))
    assert [node.inputs for node in again.nodes][:3] == [(INPUT,), (0,), (1,)]
    assert again.nodes[5].layer.approximates == "relu"


def test_damaged_files_are_refused(model: he.Model, tmp_path: Path) -> None:
    data = store.dump(model.plan, model.layers, model.classes)
    for place in range(0, len(data), len(data) // 50):
        bad = bytearray(data)
        bad[place] ^= 16
        with pytest.raises(ValueError, match="expected"):
            store.load(bytes(bad), insecure=True)
    for cut in (0, 10, 100, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:cut])
        with pytest.raises(ValueError, match="bytes given, expected"):
            he.Model.load(tmp_path / "cut", insecure=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"plan": "00"}, "56 bytes given|1 bytes given"),
        ({"plan": 3}, "does not hold what its layers are made of"),
        ({"plan": "zz"}, "non-hexadecimal"),
        ({"weights": []}, "bytes follow the last array, expected none"),
        ({"weights": 3}, "bytes follow the last array, expected none"),
        ({"weights": [{"class": "Exec"}]}, "class is 'Exec', expected one of"),
        ({"weights": [{"class": "Dense"}]}, "does not hold what its layers are made of: .*weights"),
        ({"weights": [{"class": "Dense", "weights": 1.0, "other": 2}]}, "does not hold"),
        ({"weights": [{"class": ["Dense"]}]}, "class is|unhashable"),
        ({"weights": {"array": "|O", "shape": [1]}}, "array of '|O', expected one of"),
        ({"weights": {"array": "<f8", "shape": [1 << 40, 1 << 40]}}, "bytes is announced"),
        ({"weights": {"array": "<f8", "shape": [-1]}}, "shape is \\[-1\\]"),
        ({"weights": {"array": "<f8"}}, "does not hold"),
        ({"weights": {"sparse": [], "shape": [1, 1]}}, "not enough values"),
        ({"classes": {"array": "|u1", "shape": [0]}}, "bytes follow the last array, expected none"),
        ({"more": 1}, "expected classes, plan and weights"),
    ],
)
def test_well_framed_nonsense_is_refused(change: dict[str, Any], words: str, model: he.Model) -> None:
    body = frame.unseal(store.dump(model.plan, model.layers, model.classes), frame.Kind.MODEL, "", bytes(16))
    size = int.from_bytes(body[:4], "little")
    text = json.dumps(json.loads(bytes(body[4 : 4 + size])) | change).encode()
    data = frame.seal(
        frame.Kind.MODEL, "", bytes(16), len(text).to_bytes(4, "little") + text + bytes(body[4 + size :])
    )
    with pytest.raises(ValueError, match=words):
        store.load(data, insecure=True)


def test_bodies_that_are_no_models_are_refused() -> None:
    for body, words in (
        (b"", "the body has 0 bytes, expected at least 4"),
        (b"\xff" * 8, "the model's text has 4294967295 bytes"),
        (b"\2\0\0\0{}", "the model is {}, expected classes, plan and weights"),
        (b"\2\0\0\0[[", "the body is no JSON"),
    ):
        with pytest.raises(ValueError, match=words):
            store.load(frame.seal(frame.Kind.MODEL, "", bytes(16), body))
    nested: Any = []
    for _ in range(30):
        nested = [nested]
    with pytest.raises(ValueError, match="nested deeper than 16"):
        store._object(nested, store._Source(memoryview(b"")), store.DEEPEST)
