"""On a GPU (`pytest -m gpu`): every kernel and every operation, bit for bit the CPU's, up to N = 2^17."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from engine_verbs import diagonals, verbs

import he
from he import kernels
from he.ckks.params import CkksParams, CkksSpec
from he.engines.cuda import CudaEngine
from he.engines.native import NativeEngine
from he.kernels import Basis, Converter, Divider, Gadget, IntegerMatrix, Weights
from he.kernels.cuda.machine import DeviceMemoryError
from he.kernels.reference.ring import is_prime

pytestmark = pytest.mark.gpu

OPERATIONS = 10_000
SEED = bytes(range(32))


@pytest.fixture(scope="module", autouse=True)
def device() -> Any:
    """The launch layer of the path under test; skips where there is no GPU."""
    try:
        return kernels.dispatch.native(PATH)
    except RuntimeError as missing:
        pytest.skip(str(missing))


PATH = "cuda"


def primes(n: int, bits: int, count: int) -> list[int]:
    candidates = range(((1 << bits) - 2) // (2 * n) * 2 * n + 1, 1, -2 * n)
    found = (q for q in candidates if is_prime(q))
    return [next(found) for _ in range(count)]


class Both:
    """Five moduli and two special primes on the GPU and on the CPU, and random arrays for them."""

    def __init__(self, log_n: int, rng: np.random.Generator) -> None:
        n, self.rng = 1 << log_n, rng
        moduli = primes(n, 50, 1) + primes(n, 40, 4) + primes(n, 49, 2)
        self.gpu, self.cpu = Basis(n, moduli, PATH), Basis(n, moduli)
        self.gadgets = [Gadget(b, 2, 2) for b in (self.gpu, self.cpu)]
        self.dividers = [Divider(b, 1) for b in (self.gpu, self.cpu)]
        parts = [[b.select(rows) for rows in ([0, 1], [2, 3, 4, 5, 6])] for b in (self.gpu, self.cpu)]
        self.converters = [Converter(*part) for part in parts]

    def residues(self, basis: Basis, *lead: int) -> Any:
        rows = [self.rng.integers(0, q, (*lead, basis.n), dtype=np.uint64) for q in basis.moduli]
        return np.stack(rows, axis=-2)

    def agree(self, call: Callable[..., Any], *arrays: Any) -> None:
        """call(0 on the GPU or 1 on the CPU, arrays there) gives the same bits."""
        there = call(0, *(kernels.to_device(a, self.gpu) for a in arrays))
        assert np.array_equal(kernels.to_host(there, self.gpu), call(1, *arrays))


def transform(b: Both) -> None:
    f = kernels.ntt if b.rng.integers(2) else kernels.intt
    b.agree(lambda i, x: f(x, (b.gpu, b.cpu)[i]), b.residues(b.cpu, 2))


def entries(b: Both) -> None:
    f = (kernels.add, kernels.sub, kernels.mul)[b.rng.integers(3)]
    b.agree(lambda i, x, y: f(x, y, (b.gpu, b.cpu)[i]), b.residues(b.cpu, 2), b.residues(b.cpu))


def scalars(b: Both) -> None:
    f = (kernels.add_scalar, kernels.mul_scalar)[b.rng.integers(2)]
    s = b.rng.integers(-(1 << 62), 1 << 62, b.cpu.limbs).tolist()
    b.agree(lambda i, x: f(x, s, (b.gpu, b.cpu)[i]), b.residues(b.cpu))


def moves(b: Both) -> None:
    f = (kernels.automorphism, kernels.automorphism_ntt)[b.rng.integers(2)]
    k = 2 * int(b.rng.integers(b.cpu.n)) + 1
    b.agree(lambda i, x: f(x, k, (b.gpu, b.cpu)[i]), b.residues(b.cpu))


def tensors(b: Both) -> None:
    b.agree(
        lambda i, x, y: kernels.tensor(x, y, (b.gpu, b.cpu)[i]), b.residues(b.cpu, 2), b.residues(b.cpu, 2)
    )


def divisions(b: Both) -> None:
    b.agree(lambda i, x: kernels.mod_down(x, b.dividers[i]), b.residues(b.cpu, 3))


def conversions(b: Both) -> None:
    b.agree(lambda i, x: kernels.convert(x, b.converters[i]), b.residues(b.converters[1].source))


def switches(b: Both) -> None:
    level, k = b.gadgets[1].level, 2 * int(b.rng.integers(b.cpu.n)) + 1
    rescale, parts = bool(b.rng.integers(2)), int(b.rng.integers(1, 3))
    arrays = b.residues(level), b.residues(b.cpu, 3, 2), b.residues(level, parts)
    b.agree(lambda i, x, key, c: kernels.key_switch(x, key, b.gadgets[i], k, c, rescale), *arrays)


def hoisted(b: Both) -> None:
    def run(i: int, x: Any, keys: Any) -> Any:
        digits = kernels.decompose(x, b.gadgets[i])
        return kernels.key_switch_digits(digits, list(keys), b.gadgets[i], [5, 25])

    b.agree(run, b.residues(b.gadgets[1].level), b.residues(b.cpu, 2, 3, 2))


def sums(b: Both) -> None:
    run, rows = 1 << int(b.rng.integers(5)), [[0, 2], [1, 1, 0]]
    arrays = b.residues(b.cpu, 5)[..., ::run].repeat(run, axis=-1), b.residues(b.cpu, 3, 2)
    call = lambda i, w, v: kernels.weighted_sums(Weights(w, (b.gpu, b.cpu)[i]), list(v), rows)  # noqa: E731
    b.agree(call, *arrays)


def matrices(b: Both) -> None:
    rows, columns = 5, 6
    entries = b.rng.integers(-(1 << 60), 1 << 60, rows * columns)
    matrix = IntegerMatrix(np.arange(rows + 1) * columns, np.tile(np.arange(columns), rows), entries, columns)
    call = lambda i, v: kernels.matrix_product(matrix, list(v), (b.gpu, b.cpu)[i])  # noqa: E731
    b.agree(call, b.residues(b.cpu, columns, 1))


def seeds(b: Both) -> None:
    seed, stream = b.rng.bytes(32), int(b.rng.integers(1 << 32))
    b.agree(lambda i: kernels.uniform(seed, stream, (b.gpu, b.cpu)[i]))


KERNELS = (
    transform,
    entries,
    scalars,
    moves,
    tensors,
    divisions,
    conversions,
    switches,
    hoisted,
    sums,
    matrices,
    seeds,
)


@pytest.mark.parametrize("log_n", range(12, 18))
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_have_the_bits_of_the_cpu(kernel: Callable[[Both], None], log_n: int) -> None:
    kernel(Both(log_n, np.random.default_rng(log_n)))


def test_ten_thousand_random_operations_have_the_bits_of_the_cpu() -> None:
    """Small rings most of the time, where launches follow each other fastest; a larger one now and then."""
    rng = np.random.default_rng(1)
    rings = [Both(log_n, rng) for log_n in (6, 10, 11, 12, 13)]
    for _ in range(OPERATIONS):
        KERNELS[rng.integers(len(KERNELS))](rings[min(rng.geometric(0.5), len(rings)) - 1])


def test_kernels_on_both_arithmetics_agree() -> None:
    from he.kernels.cuda.device import DeviceMachine
    from he.kernels.cuda.module import Module
    from he.kernels.reference.ring import primitive_root

    n = 1 << 13
    moduli = primes(n, 50, 4)
    x = np.random.default_rng(2).integers(0, min(moduli), (3, 4, n), dtype=np.uint64)
    results = []
    for fp64 in (True, False):
        module = Module(DeviceMachine(fp64))
        basis = module.Basis(n, moduli, [primitive_root(n, q) for q in moduli], "cuda", 1)
        given = module.to_device(x)
        out = module.empty(x.shape)
        module.ntt(basis, given, out)
        module.mul(basis, out, given, out)
        results.append(module.to_host(out))
    assert np.array_equal(*results)


PARAMS = CkksParams.from_spec(CkksSpec(log_n=13, depth=3, special=2, insecure=True))
ROTATIONS = (1, 2, 7)
DIAGONALS = diagonals(4096)
VERBS = verbs(4096)


@pytest.fixture(scope="module")
def evaluators() -> Any:
    owner = NativeEngine().owner(PARAMS, ROTATIONS)
    keys = owner.evaluation_keys()
    values = np.random.default_rng(3).uniform(-1, 1, size=(2, PARAMS.slots))
    data = [owner.encrypt(v, 3, PARAMS.scale) for v in values]
    return [e.evaluator(PARAMS, ROTATIONS, keys) for e in (NativeEngine(), CudaEngine(PATH))], data


def loaded(evaluator: Any, data: Any) -> Any:
    return [evaluator.load(d, 3, PARAMS.scale) for d in data]


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_have_the_bits_of_native(verb: str, evaluators: Any) -> None:
    engines, data = evaluators
    native, cuda = (e.dump(VERBS[verb](e, *loaded(e, data))) for e in engines)
    assert cuda == native


def test_a_graph_gives_the_bits_of_native(evaluators: Any) -> None:
    (native, cuda), data = evaluators
    matrices = [e.encode_linear(DIAGONALS, 2, 2.0**40) for e in (native, cuda)]
    recorded = cuda.record(lambda xs: [cuda.linear(cuda.multiply(*xs), matrices[1])], loaded(cuda, data))
    for _ in range(3):
        data = data[::-1]
        expected = native.linear(native.multiply(*loaded(native, data)), matrices[0])
        assert cuda.dump(recorded(loaded(cuda, data))[0]) == native.dump(expected)


def test_requests_in_flight_do_not_disturb_each_other(evaluators: Any) -> None:
    """Eight threads, each with a stream of its own, all with the same keys."""
    (native, cuda), data = evaluators

    def request(e: Any) -> bytes:
        x, y = loaded(e, data)
        for _ in range(3):
            x = e.add(*e.rotate(x, [1, 2]))
        return e.dump(e.multiply(x, y))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: request(cuda), range(64)))
    assert set(answers) == {request(native)}


def test_too_little_memory_says_how_much_was_needed(device: Any) -> None:
    with pytest.raises(DeviceMemoryError, match=r"\d+ bytes needed for polynomials .* are free; keys"):
        device.empty((1 << 30, 1 << 14))
    assert device.empty((4, 4)).shape == (4, 4)


def test_a_compiled_plan_has_the_bits_of_native(mlp: he.Model, rows: Any) -> None:
    client = he.Client(mlp.plan, engine="native")
    message, keys = client.encrypt(rows), client.evaluation_keys()
    answers = [he.Server(mlp, keys, engine=e).predict(message) for e in ("native", CudaEngine(PATH))]
    assert answers[0] == answers[1]
