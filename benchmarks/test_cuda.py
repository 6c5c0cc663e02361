"""Kernels and operations of CKKS on a GPU (`--device cuda`), for one ciphertext and for many at once.

Times are medians of CUDA events around one call, in extra_info["median_s"]; inputs rotate, so that no call
finds its own in a cache. Beside each stands its share of the copy bandwidth measured in the same run: the
bytes are the compulsory ones, every operand and table once. On the CPU the same work is timed by the clock.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest

import he
from benchmarks import ckks
from benchmarks.test_kernels import primes
from benchmarks.test_throughput import IMAGES, WEIGHTS, images, network
from he import kernels
from he.ckks.params import CkksParams
from he.engines.cuda import CudaEngine
from he.engines.native import NativeEngine
from he.kernels import Basis, Divider, Gadget
from he.kernels.reference.ring import primitive_root

ROTATING_BYTES = 256 << 20  # more than the caches of any card
ROUNDS = 21
PATHS: dict[str, str | None] = {"cpu": None, "cuda": "cuda"}
SIZES = {
    "tiny": [(10, 3, 1)],
    "small": [(14, 9, 1), (14, 9, 8), (14, 9, 64)],
    "paper": [(14, 9, 1), (14, 9, 8), (14, 9, 64), (16, 32, 1), (16, 32, 8), (16, 32, 64)],
}
BATCHES: dict[str, Any] = {"tiny": [("n13-3primes", 1)]} | {
    size: [(name, batch) for name in names for batch in (1, 8, 64)]
    for size, names in (("small", ["n14-8primes"]), ("paper", ["n14-8primes", "n16-25primes"]))
}


def clocked(device: str, calls: Sequence[Callable[[], Any]], rounds: int = ROUNDS) -> float:
    """The median of one call in seconds, the calls taken in turns."""
    times = []
    for i in range(rounds + len(calls)):
        times.append(_one(device, calls[i % len(calls)]))
    return statistics.median(times[len(calls) :])  # each has run once before


def _one(device: str, call: Callable[[], Any]) -> float:
    if device == "cpu":
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
    import cupy

    stream = kernels.dispatch.native("cuda").machine.stream()
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record(stream)
    call()
    end.record(stream)
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(begin, end)) / 1e3


@cache
def copy_bandwidth(device: str) -> float:
    """Bytes a second, read and written, of copying a quarter of a gigabyte."""
    n = 1 << 16
    basis = Basis(n, primes(n, 40, 8), PATHS[device])
    x, out = (kernels.empty((ROTATING_BYTES // (64 * n), 8, n), basis) for _ in range(2))
    kernels.zero(x, basis)
    return 2 * ROTATING_BYTES / clocked(device, [lambda: kernels.copy(x, basis, out)], 5)


def copies(x: Any, basis: Basis) -> list[Any]:
    """As many of x, where the path computes, as no cache holds."""
    count = max(1, min(64, -(-ROTATING_BYTES // x.nbytes)))
    return [kernels.to_device(x.copy(), basis) for _ in range(count)]


def note(benchmark: Any, device: str, calls: Sequence[Callable[[], Any]], moved: int, batch: int) -> None:
    """Time the calls and put down what they reach; nothing where benchmarks are off but for one call."""
    benchmark.pedantic(calls[0], rounds=1)
    if benchmark.stats is None:
        return
    seconds, bandwidth = clocked(device, calls), copy_bandwidth(device)
    benchmark.extra_info.update(
        median_s=seconds,
        bytes_moved=moved,
        batch=batch,
        per_ciphertext_s=seconds / batch,
        copy_bytes_per_s=round(bandwidth),
        share_of_copy_bandwidth=round(moved / bandwidth / seconds, 3),
    )


def residues(basis: Basis, *lead: int) -> Any:
    """Uniform, shape (*lead, limbs, N), on the host."""
    rng = np.random.default_rng(1)
    return np.stack([rng.integers(0, q, (*lead, basis.n), dtype=np.uint64) for q in basis.moduli], axis=-2)


@cache
def rescaler(basis: Basis) -> Divider:
    return Divider(basis, 1)


KERNELS: dict[str, tuple[float, float, Callable[[Any, Basis], Any]]] = {
    # passes over the data, twiddles and other tables in rows of N, and the call
    "ntt": (2, 1, kernels.ntt),
    "intt": (2, 1, kernels.intt),
    "add": (3, 0, lambda x, b: kernels.add(x, x, b)),
    "mul": (3, 0, lambda x, b: kernels.mul(x, x, b)),
    "automorphism": (2, 0, lambda x, b: kernels.automorphism_ntt(x, 5, b)),
    "rescale": (2, 2, lambda x, b: kernels.mod_down(x, rescaler(b))),
}


@pytest.mark.sizes(("log_n", "limbs", "batch"), **SIZES)
@pytest.mark.parametrize("name", KERNELS)
def test_kernel(benchmark: Any, device: str, name: str, log_n: int, limbs: int, batch: int) -> None:
    passes, tables, call = KERNELS[name]
    n = 1 << log_n
    basis = Basis(n, primes(n, 49, limbs), PATHS[device])
    x = residues(basis.host, batch)
    calls = [lambda x=x: call(x, basis) for x in copies(x, basis)]
    note(benchmark, device, calls, int(8 * n * limbs * (passes * batch + tables)), batch)
    got = kernels.to_host(call(kernels.to_device(x, basis), basis), basis)
    assert np.array_equal(got, call(x, basis.host))


@pytest.mark.sizes(("log_n", "limbs", "batch"), **SIZES)
def test_key_switch_of_many(benchmark: Any, device: str, log_n: int, limbs: int, batch: int) -> None:
    """One launch of each kernel for the whole batch; on the CPU one call a polynomial."""
    n, special = 1 << log_n, max(1, limbs // 4)
    gadgets = [
        Gadget(Basis(n, primes(n, 49, limbs), path), special, special) for path in (PATHS[device], None)
    ]
    gadget, basis = gadgets[0], gadgets[0].basis
    x, key = residues(gadget.level.host, batch), residues(basis.host, gadget.digits, 2)
    there = kernels.to_device(key, basis)
    limbs_out = gadget.level.limbs

    def call(x: Any) -> Any:
        if device == "cpu":
            return np.stack([kernels.key_switch(one, key, gadget, 5) for one in x])
        module = kernels.dispatch.native("cuda")
        out = module.empty((batch, 2, limbs_out, n))
        module.key_switch(gadget.handle, x, there, 5, None, False, out)
        return out

    calls = [lambda x=x: call(x) for x in copies(x, basis)]
    moved = 8 * n * (batch * 3 * limbs_out + gadget.digits * 2 * limbs + 2 * limbs)
    note(benchmark, device, calls, moved, batch)
    got = kernels.to_host(call(kernels.to_device(x, basis)), basis)
    assert np.array_equal(got[-1], kernels.key_switch(x[-1], key, gadgets[1], 5))


@pytest.mark.parametrize("fp64", [True, False], ids=["fp64", "integers"])
@pytest.mark.sizes(("log_n", "limbs", "batch"), **SIZES)
def test_arithmetic(benchmark: Any, device: str, fp64: bool, log_n: int, limbs: int, batch: int) -> None:
    """Which way of multiplying suits the card: a transform each way."""
    if device == "cpu":
        pytest.skip("the CPU's kernels choose by themselves")
    from he.kernels.cuda.device import DeviceMachine
    from he.kernels.cuda.module import Module

    n, module = 1 << log_n, Module(DeviceMachine(fp64))
    host = Basis(n, primes(n, 49, limbs))
    basis = module.Basis(n, host.moduli, [primitive_root(n, q) for q in host.moduli], "cuda", 1)
    x, out = module.to_device(residues(host, batch)), module.empty((batch, limbs, n))
    note(benchmark, device, [lambda: module.ntt(basis, x, out)], 8 * n * limbs * (2 * batch + 1), batch)
    assert np.array_equal(module.to_host(out), kernels.ntt(module.to_host(x), host))


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "rotate": lambda e, x: e.rotate(x, [1])[0],
    "multiply": lambda e, x: e.multiply(x, x),
    "add": lambda e, x: e.add(x, x),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.sizes(("name", "batch"), **BATCHES)
def test_operation(benchmark: Any, device: str, operation: str, name: str, batch: int) -> None:
    """A verb on each of `batch` ciphertexts; on the GPU as one graph."""
    params, call = CkksParams.from_spec(ckks.SPECS[name]), OPERATIONS[operation]
    owner = NativeEngine().owner(params, [1])
    keys, level = owner.evaluation_keys(), params.top_level
    native = NativeEngine().evaluator(params, [1], keys)
    data = owner.encrypt(np.ones(1), level, params.scale)
    expected = native.dump(call(native, native.load(data, level, params.scale)))
    evaluator: Any = CudaEngine().evaluator(params, [1], keys) if device == "cuda" else native
    xs = [evaluator.load(data, level, params.scale) for _ in range(batch)]

    def program(xs: Any) -> Any:
        return [call(evaluator, x) for x in xs]

    run = evaluator.record(program, xs) if device == "cuda" else program
    limbs = level + 1
    note(benchmark, device, [lambda: run(xs)], 8 * params.n * limbs * 4 * batch, batch)
    assert evaluator.dump(run(xs)[-1]) == expected


def engine_of(device: str) -> Any:
    return CudaEngine() if device == "cuda" else NativeEngine()


def tutorial(optimise: Any) -> tuple[Any, Any, Any]:
    """(model, client, images): TenSEAL's tutorial network; skips without ../shared."""
    if not (WEIGHTS.exists() and IMAGES.exists()):
        pytest.skip("needs ../shared: weights and MNIST")
    model = he.compile(network(), samples=images()[-64:], optimise=optimise)
    return model, he.Client(model.plan, engine="native"), images()


@pytest.mark.sizes("in_flight", tiny=[], small=[1, 64], ids=lambda count: f"in_flight={count}")
def test_tutorial_network(benchmark: Any, device: str, in_flight: int) -> None:
    """As many requests of one image each at once; by the clock, from bytes to bytes."""
    model, client, x = tutorial("latency")
    server = he.Server(model, client.evaluation_keys(), engine=engine_of(device))
    requests = [client.encrypt(x[i : i + 1]) for i in range(in_flight)]
    with ThreadPoolExecutor(min(in_flight, 8)) as pool:
        answers = benchmark.pedantic(
            lambda: list(pool.map(server.predict, requests)), rounds=7, warmup_rounds=2
        )
    benchmark.extra_info["images"] = in_flight
    scores = np.concatenate([client.decrypt(answer) for answer in answers])
    assert np.abs(scores - model.predict_clear(x[:in_flight])).max() < model.predicted_error(x[:in_flight])


@pytest.mark.sizes("layout", tiny=[], small=["throughput"], ids=str)
def test_tutorial_network_on_a_batch(benchmark: Any, device: str, layout: str) -> None:
    """As many images as slots; images a second, from bytes to bytes."""
    model, client, x = tutorial(layout)
    server = he.Server(model, client.evaluation_keys(), engine=engine_of(device))
    batch = x[: model.plan.samples]
    request = client.encrypt(batch)
    answer = benchmark.pedantic(server.predict, args=(request,), rounds=3, warmup_rounds=1)
    if benchmark.stats is not None:
        benchmark.extra_info["images_per_s"] = round(len(batch) / benchmark.stats.stats.median)
    error = np.abs(client.decrypt(answer) - model.predict_clear(batch)).max()
    assert error < model.predicted_error(batch)
