"""The engine `cuda` on its kernels compiled for the host: every bit is that of `native`."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from engine_verbs import diagonals, verbs

import he
from he.ckks.params import CkksParams, CkksSpec
from he.engines.cuda import CudaEngine
from he.engines.native import NativeEngine
from he.kernels.cuda import host, machines
from he.kernels.cuda.host import HostMachine
from he.kernels.cuda.machine import DeviceMemoryError
from he.kernels.cuda.module import Module

pytestmark = pytest.mark.skipif(host.compiler() is None, reason="needs a C++ compiler")

PARAMS = CkksParams.from_spec(CkksSpec(log_n=10, depth=3, special=2, insecure=True))
ROTATIONS = (1, 2, 7)
DIAGONALS = diagonals(512)
VERBS = {"load and dump": lambda e, x, y: x} | verbs(512)


@pytest.fixture(scope="module")
def evaluators() -> Any:
    """Native and, with either arithmetic, cuda; and two ciphertexts' bytes."""
    owner = NativeEngine().owner(PARAMS, ROTATIONS)
    keys = owner.evaluation_keys()
    engines = (NativeEngine(), CudaEngine("cuda-host"), CudaEngine("cuda-host-integer"))
    values = np.random.default_rng(3).uniform(-1, 1, size=(2, PARAMS.slots))
    data = [owner.encrypt(v, 3, PARAMS.scale) for v in values]
    return [engine.evaluator(PARAMS, ROTATIONS, keys) for engine in engines], data


def loaded(evaluator: Any, data: Any) -> Any:
    return [evaluator.load(d, 3, PARAMS.scale) for d in data]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_gives_the_bits_of_native(verb: str, evaluators: Any) -> None:
    engines, data = evaluators
    native, *others = [e.dump(VERBS[verb](e, *loaded(e, data))) for e in engines]
    assert all(other == native for other in others)


def test_products_of_many_are_each_one_alone(evaluators: Any) -> None:
    (native, cuda, _), data = evaluators
    xs = [[e.add_number(x, i / 8) for x in loaded(e, data) for i in range(10)] for e in (native, cuda)]
    expected = [native.multiply(x, y) for x, y in zip(xs[0], xs[0][::-1], strict=True)]
    got = cuda.multiply_each(xs[1], xs[1][::-1])
    assert [cuda.dump(x) for x in got] == [native.dump(x) for x in expected]
    with pytest.raises(ValueError, match="factor 1 has level 2, expected 3"):
        cuda.multiply_each([xs[1][0], cuda.drop(xs[1][1], 2)], xs[1][:2])


@pytest.fixture(scope="module")
def layered() -> he.Model:
    """5 -> 6, square, 6 -> 3 in the throughput layout."""
    rng = np.random.default_rng(1)
    layers = [he.Dense(rng.normal(size=(6, 5)) / 2), he.Square(), he.Dense(rng.normal(size=(3, 6)))]
    spec = CkksSpec(log_n=10, depth=3, special=2, insecure=True)
    return he.compile(layers, spec=spec, optimise="throughput")


def test_a_throughput_plan_has_the_bits_of_native(layered: he.Model, rows: Any) -> None:
    client = he.Client(layered.plan, engine="native")
    message, keys = client.encrypt(rows), client.evaluation_keys()
    answers = [
        he.Server(layered, keys, engine=e).predict(message) for e in ("native", CudaEngine("cuda-host"))
    ]
    assert answers[0] == answers[1]


def test_a_recorded_program_runs_again_on_other_inputs(evaluators: Any) -> None:
    (native, cuda, _), data = evaluators
    weights = [e.encode_linear(DIAGONALS, 2, 2.0**40) for e in (native, cuda)]

    def program(engine: Any, matrix: Any) -> Any:
        def run(xs: Any) -> Any:
            y = engine.linear(engine.multiply(*xs), matrix)
            return [engine.add_number(y, 0.5), *engine.rotate(engine.drop(y, 0), [1, 2])]

        return run

    recorded = cuda.record(program(cuda, weights[1]), loaded(cuda, data))
    for order in (slice(None), slice(None, None, -1)):
        expected = program(native, weights[0])(loaded(native, data)[order])
        got = recorded(loaded(cuda, data)[order])
        assert [cuda.dump(x) for x in got] == [native.dump(x) for x in expected]
    with pytest.raises(
        ValueError, match=r"inputs have levels and scales \[\(2, .*\), .*\], expected \[\(3, "
    ):
        recorded([cuda.drop(x, 2) for x in loaded(cuda, data)])


def test_too_little_memory_says_how_much_was_needed_by_what_and_frees_everything(
    monkeypatch: pytest.MonkeyPatch, evaluators: Any
) -> None:
    machine = HostMachine()
    monkeypatch.setattr(machines, "module", lambda path: Module(machine))
    monkeypatch.setattr("he.engines.cuda.module", lambda path: Module(machine))
    owner = NativeEngine().owner(PARAMS, ROTATIONS)
    evaluator = CudaEngine("cuda-host").evaluator(PARAMS, ROTATIONS, owner.evaluation_keys())
    x = evaluator.load(owner.encrypt(np.ones(4), 3, PARAMS.scale), 3, PARAMS.scale)
    evaluator.rotate(x, [1])  # tables that stay
    before = machine.used_bytes
    machine._limit = before + 100_000
    with pytest.raises(DeviceMemoryError, match=r"\d+ bytes needed for .*, \d+ of \d+ are free"):
        evaluator.rotate(x, [1, 2, 7])
    assert machine.used_bytes == before
    machine._limit = None
    assert len(evaluator.rotate(x, [1, 2, 7])) == 3


def test_a_program_that_fails_leaves_no_request_waiting(evaluators: Any) -> None:
    (_, cuda, _), data = evaluators
    xs = loaded(cuda, data)

    def failing(xs: Any) -> Any:
        raise DeviceMemoryError("not enough")

    repeated = cuda.repeated(failing)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(repeated, xs) for _ in range(24)]
        failures = [future.exception(timeout=60) for future in waiting]
    assert all(isinstance(failure, DeviceMemoryError) for failure in failures)


def test_arrays_of_another_kind_are_refused() -> None:
    machine = HostMachine()
    with pytest.raises(TypeError, match="got list, expected a NumPy array"):
        machine.pointer([1])


def test_a_compiled_plan_runs_on_it_and_a_client_cannot_tell(mlp: he.Model, rows: Any) -> None:
    client = he.Client(mlp.plan, engine="native")
    keys = client.evaluation_keys()
    native, cuda = (he.Server(mlp, keys, engine=e) for e in ("native", CudaEngine("cuda-host")))
    messages = [client.encrypt(rows[: 10 * i + 1]) for i in range(8)]
    expected = [native.predict(message) for message in messages]
    with ThreadPoolExecutor(6) as pool:  # more than there are graphs
        assert list(pool.map(cuda.predict, messages)) == expected
    assert cuda.predict(messages[0]) == expected[0]


def test_without_cupy_or_a_gpu_it_says_what_is_missing() -> None:
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(RuntimeError, match=r"path 'cuda' needs CuPy: pip install 'latticework\[cuda\]'"):
            CudaEngine().evaluator(PARAMS, (), b"")
