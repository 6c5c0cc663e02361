from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import he
from he.ckks import frame
from he.ckks.frame import Kind, seal


def test_another_plans_keys_and_requests_are_refused(mlp: he.Model, parties: Any, rows: Any) -> None:
    client, server = parties
    other = he.compile([he.Dense(np.ones((3, 5)))], spec=mlp.plan.params.spec)
    with pytest.raises(
        ValueError,
        match=f"id of plan or parameters is '{mlp.plan.id.hex()}', expected '{other.plan.id.hex()}'",
    ):
        he.Server(other, client.evaluation_keys())
    with pytest.raises(
        ValueError,
        match=f"id of plan or parameters is '{other.plan.id.hex()}', expected '{mlp.plan.id.hex()}'",
    ):
        server.predict(he.Client(other.plan, client._engine).encrypt(rows))


def test_a_damaged_request_is_refused_and_the_server_goes_on(parties: Any, rows: Any) -> None:
    client, server = parties
    request = client.encrypt(rows)
    with pytest.raises(ValueError, match=f"{len(request) - 1} bytes given, expected {len(request)}"):
        server.predict(request[:-1])
    for place in range(0, len(request), len(request) // 20):
        bad = bytearray(request)
        bad[place] ^= 16
        with pytest.raises(ValueError, match="expected"):
            server.predict(bytes(bad))
    assert client.decrypt(server.predict(request)).shape == (70, 3)


@pytest.mark.parametrize(
    "body", [b"", bytes(8), b"\1" + bytes(7), b"\xff" * 8, b"\1" + bytes(7) + b"\xff" * 16]
)
def test_a_well_framed_body_of_nonsense_is_refused(body: bytes, mlp: he.Model, parties: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|missing"):
        parties[1].predict(seal(Kind.REQUEST, parties[1]._engine.name, mlp.plan.id, body))


def test_damaged_keys_are_refused(mlp: he.Model, parties: Any) -> None:
    keys = bytearray(parties[0].evaluation_keys())
    with pytest.raises(ValueError, match="bytes given, expected"):
        he.Server(mlp, bytes(keys[:-100]))
    keys[len(keys) // 2] ^= 1
    with pytest.raises(ValueError, match="checksum is"):
        he.Server(mlp, bytes(keys))
    with pytest.raises(ValueError, match="engine is 'tape', expected"):
        he.Server(mlp, seal(Kind.EVALUATION_KEYS, "tape", mlp.plan.id, b""))


def test_the_repr_shows_plan_and_engine_only(parties: Any) -> None:
    assert repr(parties[1]).endswith(f"2 blocks, 5 -> 3), engine={parties[1]._engine.name!r})")


def test_requests_in_parallel_threads_get_their_own_answers(mlp: he.Model, parties: Any, rows: Any) -> None:
    client, server = parties
    requests = [client.encrypt(rows[i : i + 2]) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(server.predict, requests))
    for i, response in enumerate(responses):
        expected = mlp.predict_clear(rows[i : i + 2])
        assert np.abs(client.decrypt(response) - expected).max() < mlp.predicted_error(rows)


def test_keys_come_from_a_file_too(mlp: he.Model, parties: Any, rows: Any, tmp_path: Path) -> None:
    client, _ = parties
    path = tmp_path / "keys"
    client.write_evaluation_keys(path)
    server = he.Server(mlp, path)
    assert client.decrypt(server.predict(client.encrypt(rows))).shape == (70, 3)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(ValueError, match="bytes follow the evaluation keys, expected none"):
        he.Server(mlp, path)
    with pytest.raises(TypeError, match="keys are str, expected bytes, a path or a function"):
        he.Server(mlp, "keys")  # type: ignore[arg-type]


def test_keys_too_long_for_the_plan_are_refused_unread(mlp: he.Model, parties: Any) -> None:
    engine = parties[1]._engine.name
    head = frame.HEADER.pack(
        frame.MAGIC, frame.VERSION, Kind.EVALUATION_KEYS, engine.encode(), mlp.plan.id, 1 << 60
    )

    def read(count: int) -> bytes:
        assert count == len(head)
        return head

    with pytest.raises(ValueError, match=f"a body of {1 << 60} bytes is announced, expected at most"):
        he.Server(mlp, read)
