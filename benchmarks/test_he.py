"""CKKS operations on our engine beside SEAL (as TenSEAL ships it), checked, with precision beside each time.

Off by default; `make bench` runs them. SEAL runs between our rounds, on the same machine in the same state:
`extra_info` has its median, the ratio of the medians and of the shortest times (which other processes disturb
least), and -log2 of the root mean square error of both over all slots, values in -1..1. SEAL has its usual
60-bit first and special primes, ours stay below 2^50 and within the security table.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from he import kernels
from he.ckks import encoding, encrypt, evaluate, keyswitch, wire
from he.ckks.cipher import Ciphertext, Plaintext
from he.ckks.keys import EvaluationKeys, PublicKey, SecretKey
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring
from he.engines.native import NativeEngine
from he.engines.seal import sealapi

SPECS = {
    "n13-3primes": CkksSpec(log_n=13, depth=2, first_bits=47, special=1, special_bits=47),
    "n14-8primes": CkksSpec(log_n=14, depth=7, first_bits=47, special=2, special_bits=47),
    "n15-19primes": CkksSpec(log_n=15, depth=18, first_bits=47, special=2, special_bits=47),
}
DEEP = {
    "n15-16primes": CkksSpec(log_n=15, depth=15, first_bits=47, special=4, special_bits=42),
    "n16-25primes": CkksSpec(log_n=16, depth=24, first_bits=47, special=8, special_bits=46),
}
HALF_A_BIT = 0.5
ROTATIONS = range(1, 17)


class Seal:
    """SEAL at the same ring degree and number of primes."""

    def __init__(self, params: CkksParams, values: NDArray[np.float64]) -> None:
        self.api = api = sealapi()
        parms = api.EncryptionParameters(api.SCHEME_TYPE.CKKS)
        parms.set_poly_modulus_degree(params.n)
        bits = [60] + [40] * params.top_level + [60]
        parms.set_coeff_modulus(api.CoeffModulus.Create(params.n, bits))
        context = api.SEALContext(parms, True, api.SEC_LEVEL_TYPE.TC128)
        keygen = api.KeyGenerator(context)
        public, self.relin, self.galois = api.PublicKey(), api.RelinKeys(), api.GaloisKeys()
        keygen.create_public_key(public)
        keygen.create_relin_keys(self.relin)
        keygen.create_galois_keys([3], self.galois)  # the Galois element of a rotation by one slot
        self.encoder, self.evaluator = api.CKKSEncoder(context), api.Evaluator(context)
        self.encryptor, self.decryptor = (
            api.Encryptor(context, public),
            api.Decryptor(context, keygen.secret_key()),
        )
        self.encryptor.set_secret_key(keygen.secret_key())
        self.values, self.scale = values.tolist(), params.scale
        self.plain = self.encode()
        self.x = self.encrypt()

    def encode(self) -> Any:
        plain = self.api.Plaintext()
        self.encoder.encode(self.values, self.scale, plain)
        return plain

    def encrypt(self) -> Any:
        out = self.api.Ciphertext()
        self.encryptor.encrypt(self.plain, out)
        return out

    def encrypt_secret(self) -> Any:
        out = self.api.Ciphertext()
        self.encryptor.encrypt_symmetric(self.plain, out)
        return out

    def rotate(self) -> Any:
        out = self.api.Ciphertext()
        self.evaluator.apply_galois(self.x, 3, self.galois, out)
        return out

    def multiply(self) -> Any:
        out = self.api.Ciphertext()
        self.evaluator.multiply(self.x, self.x, out)
        self.evaluator.relinearize_inplace(out, self.relin)
        self.evaluator.rescale_to_next_inplace(out)
        return out

    def decode(self, plain: Any) -> NDArray[np.float64]:
        return np.array(self.encoder.decode_double(plain))

    def decrypt(self, x: Any) -> NDArray[np.float64]:
        plain = self.api.Plaintext()
        self.decryptor.decrypt(x, plain)
        return self.decode(plain)


@dataclass
class Setting:
    """Both libraries with keys and one ciphertext of the same values."""

    ring: Ring
    secret: SecretKey
    public: PublicKey
    keys: EvaluationKeys
    values: NDArray[np.float64]
    plain: Plaintext
    x: Ciphertext
    seal: Seal | None

    def decrypt(self, x: Ciphertext) -> NDArray[np.float64]:
        return encrypt.decrypt(self.secret, x).real


def build(
    spec: CkksSpec, threads: int | None, peer: bool, rotations: Any = (1,), path: str | None = None
) -> Setting:
    ring = Ring(CkksParams.from_spec(spec), path, threads)
    secret = SecretKey.generate(ring)
    values = np.random.default_rng(0).uniform(-1, 1, ring.params.slots)
    plain = encoding.encode(ring, values, ring.params.top_level, ring.params.scale)
    keys = EvaluationKeys.generate(secret, rotations)
    x = encrypt.encrypt(secret, plain)
    seal = Seal(ring.params, values) if peer else None
    return Setting(ring, secret, PublicKey.generate(secret), keys, values, plain, x, seal)


@pytest.fixture(scope="module", autouse=True)
def table(request: pytest.FixtureRequest) -> Iterator[list[Any]]:
    """The benchmarks of this file as they end; at last their ratios and precisions are shown."""
    done: list[Any] = []
    yield done
    capture: Any = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print()
        for benchmark in done:
            extra = ", ".join(f"{key} {value}" for key, value in benchmark.extra_info.items())
            print(f"{benchmark.name:57s} {1e3 * benchmark.stats.stats.median:9.3f} ms  {extra}")


@pytest.fixture(autouse=True)
def listed(benchmark: Any, table: list[Any]) -> Iterator[None]:
    """Put the benchmark of a test into the table."""
    yield
    if benchmark.stats is not None:  # benchmarks are enabled
        table.append(benchmark)


@pytest.fixture(scope="module", params=SPECS, ids=lambda name: f"{name}-1thread")
def setting(request: pytest.FixtureRequest) -> Setting:
    return build(SPECS[request.param], 1, peer=True)


def bits(got: Any, expected: Any) -> float:
    return float(-np.log2(np.sqrt(np.mean(np.abs(got - expected) ** 2))))


def compare(
    benchmark: Any,
    ours: Callable[[], Any],
    peer: Callable[[], Any],
    precision: Callable[[Any], float],
    peer_precision: Callable[[Any], float],
) -> None:
    """Time both in turns, each right after an untimed call of its own, so that neither pays for the other's
    use of the caches; demand that ours is as exact as SEAL's but for half a bit.
    """
    peer_s: list[float] = []

    def run_peer() -> None:
        peer()
        start = time.perf_counter()
        peer()
        peer_s.append(time.perf_counter() - start)
        ours()

    benchmark.pedantic(ours, setup=run_peer, rounds=15, warmup_rounds=1)
    got, theirs = precision(ours()), peer_precision(peer())
    benchmark.extra_info.update(precision_bits=round(got, 1), seal_precision_bits=round(theirs, 1))
    if benchmark.stats is not None:  # benchmarks are enabled
        seal_s = statistics.median(peer_s[1:])
        benchmark.extra_info.update(
            seal_ms=round(1e3 * seal_s, 3),
            ratio=round(seal_s / benchmark.stats.stats.median, 1),
            ratio_of_best=round(min(peer_s) / benchmark.stats.stats.min, 1),
        )
    assert got > theirs - HALF_A_BIT


def test_encode(benchmark: Any, setting: Setting) -> None:
    s, level, scale = setting, setting.ring.params.top_level, setting.ring.params.scale
    assert s.seal is not None
    compare(
        benchmark,
        lambda: encoding.encode(s.ring, s.values, level, scale),
        s.seal.encode,
        lambda plain: bits(encoding.decode(s.ring, plain).real, s.values),
        lambda plain: bits(s.seal.decode(plain), s.values) if s.seal else 0.0,
    )


def against_seal(
    benchmark: Any, s: Setting, ours: Callable[[], Ciphertext], verb: str, expected: Any
) -> None:
    seal = s.seal
    assert seal is not None
    compare(
        benchmark,
        ours,
        getattr(seal, verb),
        lambda x: bits(s.decrypt(x), expected),
        lambda x: bits(seal.decrypt(x), expected),
    )


def test_encrypt_under_the_public_key(benchmark: Any, setting: Setting) -> None:
    s = setting
    against_seal(benchmark, s, lambda: encrypt.encrypt_public(s.public, s.plain), "encrypt", s.values)


def test_encrypt_under_the_secret_key(benchmark: Any, setting: Setting) -> None:
    s = setting
    against_seal(benchmark, s, lambda: encrypt.encrypt(s.secret, s.plain), "encrypt_secret", s.values)


def test_decrypt_and_decode(benchmark: Any, setting: Setting) -> None:
    s, seal = setting, setting.seal
    assert seal is not None
    x = encrypt.encrypt_public(s.public, s.plain)  # SEAL's ciphertext is under its public key too
    compare(
        benchmark,
        lambda: s.decrypt(x),
        lambda: seal.decrypt(seal.x),
        lambda got: bits(got, s.values),
        lambda got: bits(got, s.values),
    )


def test_rotate(benchmark: Any, setting: Setting) -> None:
    s = setting
    expected = np.roll(s.values, -1)
    against_seal(benchmark, s, lambda: keyswitch.rotate(s.keys, s.x, 1), "rotate", expected)


def test_multiply_relinearise_rescale(benchmark: Any, setting: Setting) -> None:
    s = setting
    expected = s.values * s.values
    against_seal(benchmark, s, lambda: evaluate.multiply_rescale(s.keys, s.x, s.x), "multiply", expected)


@pytest.mark.parametrize("operation", ["rotate", "multiply"])
@pytest.mark.parametrize("path", [path for path in kernels.paths() if path in ("avx2", "portable")])
@pytest.mark.parametrize("name", SPECS)
def test_slower_paths(benchmark: Any, name: str, path: str, operation: str) -> None:
    """What machines without AVX-512 get, beside SEAL; one thread."""
    s = build(SPECS[name], 1, True, path=path)
    if operation == "rotate":
        expected = np.roll(s.values, -1)
        against_seal(benchmark, s, lambda: keyswitch.rotate(s.keys, s.x, 1), operation, expected)
    else:
        expected = s.values * s.values
        against_seal(benchmark, s, lambda: evaluate.multiply_rescale(s.keys, s.x, s.x), operation, expected)


@pytest.mark.parametrize("name", SPECS)
def test_sixteen_hoisted_rotations(benchmark: Any, name: str) -> None:
    """`singles` is the time of sixteen single rotations, in turns with the hoisted ones."""
    s = build(SPECS[name], 1, False, ROTATIONS)
    singles: list[float] = []

    def run_singles() -> None:
        start = time.perf_counter()
        for k in ROTATIONS:
            keyswitch.rotate(s.keys, s.x, k)
        singles.append(time.perf_counter() - start)

    benchmark.pedantic(
        lambda: keyswitch.rotate_many(s.keys, s.x, ROTATIONS), setup=run_singles, rounds=5, warmup_rounds=1
    )
    if benchmark.stats is not None:
        fraction = benchmark.stats.stats.median / statistics.median(singles[1:])
        benchmark.extra_info["fraction_of_singles"] = round(fraction, 2)
    for k, rotated in zip(ROTATIONS, keyswitch.rotate_many(s.keys, s.x, ROTATIONS), strict=True):
        np.testing.assert_array_equal(rotated.data, keyswitch.rotate(s.keys, s.x, k).data)


@pytest.mark.parametrize("operation", ["rotate", "multiply"])
@pytest.mark.parametrize("name", DEEP)
def test_deep_chains(benchmark: Any, name: str, operation: str) -> None:
    """One thread, to be held against OpenFHE's figures for these chains with three digits."""
    s = build(DEEP[name], 1, False)

    def call() -> Ciphertext:
        if operation == "rotate":
            return keyswitch.rotate(s.keys, s.x, 1)
        return evaluate.square(s.keys, s.x)

    expected = np.roll(s.values, -1) if operation == "rotate" else s.values**2
    benchmark.pedantic(call, rounds=5, warmup_rounds=1)
    benchmark.extra_info["precision_bits"] = round(bits(s.decrypt(call()), expected), 1)
    benchmark.extra_info["digits"] = s.ring.gadget(s.ring.params.top_level).digits
    assert benchmark.extra_info["precision_bits"] > 15


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(benchmark: Any, threads: int) -> None:
    """A rotation at 2^15: the same bits on one and on two threads, and how much faster."""
    s = build(SPECS["n15-19primes"], threads, False)
    benchmark.pedantic(lambda: keyswitch.rotate(s.keys, s.x, 1), rounds=9, warmup_rounds=1)
    assert bits(s.decrypt(keyswitch.rotate(s.keys, s.x, 1)), np.roll(s.values, -1)) > 15


@pytest.mark.parametrize("name", SPECS)
def test_keys_on_the_wire(benchmark: Any, name: str) -> None:
    """Load one relinearisation and one rotation key; their bytes on the wire and in memory."""
    s = build(SPECS[name], None, False)
    data = wire.dump_evaluation_keys(s.keys)
    loaded = benchmark.pedantic(lambda: wire.load_evaluation_keys(s.ring, data), rounds=3)
    memory = loaded.relinearisation.data.nbytes
    on_wire = wire.switching_key_bytes(s.ring.params)
    benchmark.extra_info.update(key_wire_bytes=on_wire, key_memory_bytes=memory)
    assert on_wire < memory / 2
    np.testing.assert_array_equal(loaded.relinearisation.data, s.keys.relinearisation.data)


SERVER_PROGRAM = """
import re, sys
from pathlib import Path
from benchmarks.test_he import SPECS
from he.ckks.params import CkksParams
from he.engines.native import NativeEngine

def peak_kib():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

params = CkksParams.from_spec(SPECS["n15-19primes"])
before = peak_kib()
keys = Path(sys.argv[1]).read_bytes()
evaluator = NativeEngine().evaluator(params, range(1, 33), keys)
print(len(keys), (peak_kib() - before) * 1024)
"""


def test_memory_of_32_rotation_keys(benchmark: Any, tmp_path: Path) -> None:
    """A server that loads relinearisation and 32 rotation keys at 2^15: its peak, wire bytes included."""
    owner = NativeEngine().owner(CkksParams.from_spec(SPECS["n15-19primes"]), range(1, 33))
    path = tmp_path / "keys"
    path.write_bytes(owner.evaluation_keys())
    del owner
    command = [sys.executable, "-c", SERVER_PROGRAM, str(path)]

    def load() -> list[int]:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return [int(number) for number in result.stdout.split()]

    wire_bytes, peak_bytes = benchmark.pedantic(load, rounds=1)
    benchmark.extra_info.update(keys_wire_bytes=wire_bytes, server_peak_bytes=peak_bytes)
    assert peak_bytes > wire_bytes
