"""The CUDA kernels on the host, bit for bit the reference; and, where there is a compiler, for GPUs."""

import ctypes
import ctypes.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis, Converter, Divider, Gadget, Weights
from he.kernels.cuda import arguments, host
from he.kernels.cuda.device import options, source
from he.kernels.cuda.machine import SOURCES
from he.kernels.reference import stream as reference
from he.kernels.reference.ring import is_prime

pytestmark = pytest.mark.skipif(host.compiler() is None, reason="needs a C++ compiler")

SEED = bytes(range(32))
SHIM = ("cuda-host", "cuda-host-integer")


class Inputs:
    """Residues for seven moduli: of 50, 49 and 30 bits, in the order in which conversions are hardest."""

    def __init__(self, cases: Any, n: int) -> None:
        self.n = n
        self.moduli = cases.primes(n, 50, 3) + cases.primes(n, 30, 2) + cases.primes(n, 49, 2)
        basis = Basis(n, self.moduli, "reference")
        self.x, self.y, self.z = (cases.residues(basis, 2) for _ in range(3))
        self.worst = [np.stack([w, w]) for w in cases.inputs(basis)]
        self.keys = [cases.residues(basis, 3, 2) for _ in range(2)]
        self.weights = cases.residues(basis, 73)  # more than fit into one launch
        self.vectors = cases.residues(basis, 70, 1)

    def level(self, x: Any) -> Any:
        return np.ascontiguousarray(x[..., :5, :])


def ring(i: Inputs, b: Basis) -> Iterator[Any]:
    for x in (i.x, *i.worst):
        yield from (kernels.ntt(x, b), kernels.intt(x, b), kernels.neg(x, b))
        yield from (f(x, y, b) for f in (kernels.add, kernels.sub, kernels.mul) for y in (i.y, i.y[0]))
        yield kernels.mul(x, x, b)
        yield kernels.mul_add(x, i.y[0], i.z, b)
        yield kernels.tensor(x, i.y, b)
    yield from (f(i.x, range(-3, 4), b) for f in (kernels.add_scalar, kernels.mul_scalar))


def moved(i: Inputs, b: Basis) -> Iterator[Any]:
    for k in (1, 3, 5, -1):
        yield from (kernels.automorphism(i.x, k, b), kernels.automorphism_ntt(i.x, k, b))
    out = kernels.empty(i.x.shape, b)
    yield kernels.copy(i.x, b, out).copy()
    yield kernels.zero(out, b)


def bases(i: Inputs, b: Basis) -> Iterator[Any]:
    for x in (i.x, *i.worst):
        converter = Converter(b.select([0, 1, 2]), b.select([3, 4, 5]))
        yield kernels.convert(np.ascontiguousarray(x[:, :3]), converter)
        yield from (kernels.mod_down(x, Divider(b, drop)) for drop in (1, 2, 3))


def switching(i: Inputs, b: Basis) -> Iterator[Any]:
    gadget, x, addend = Gadget(b, 2, 2), i.level(i.x), i.level(i.y)
    digits = kernels.decompose(x[0], gadget)
    yield digits
    yield kernels.inner_product(digits, i.keys[0], gadget, 5, addend)
    yield kernels.key_switch(x[0], i.keys[0], gadget, 25, addend[:1])
    yield kernels.key_switch(x[1], i.keys[1], gadget, addend=addend, rescale=True)
    yield kernels.key_switch_digits(digits, i.keys, gadget, [25, 3], addend[:1])
    parts = np.stack([i.level(a) for a in (i.x, i.y, i.z)], axis=1)  # of two ciphertexts
    yield from (kernels.relinearise_each(parts, i.keys[0], gadget, rescale) for rescale in (False, True))
    rows = [list(range(70)), [3], [5, 0]]
    for polys in (i.weights, i.weights[..., ::8].repeat(8, axis=-1)):
        yield kernels.weighted_sums(Weights(polys, b), i.vectors, rows)
    small = b.select([3, 4])  # four bytes each
    polys, vectors = (np.ascontiguousarray(a[..., 3:5, :]) for a in (i.weights, i.vectors))
    yield kernels.weighted_sums(Weights(polys, small), vectors, rows)


def randomness(i: Inputs, b: Basis) -> Iterator[Any]:
    yield from (kernels.uniform(SEED, stream, b) for stream in (0, 7))
    yield kernels.lift(np.arange(-3, b.n - 3), b, ntt=True)


@pytest.mark.parametrize("n", [16, 128, 512])
@pytest.mark.parametrize("calls", [ring, moved, bases, switching, randomness])
def test_every_kernel_is_the_reference(calls: Callable[..., Any], n: int, cases: Any) -> None:
    inputs = Inputs(cases, n)
    expected = list(calls(inputs, Basis(n, inputs.moduli, "reference" if n < 512 else None)))
    for path in SHIM:
        got = list(calls(inputs, Basis(n, inputs.moduli, path)))
        assert all(map(np.array_equal, got, expected))
        assert len(got) == len(expected)


@pytest.mark.skipif(not kernels.available(), reason="the reference takes minutes at these sizes")
@pytest.mark.parametrize(
    "log_n", [12, 13, 14, *(pytest.param(k, marks=pytest.mark.slow) for k in (15, 16, 17))]
)
def test_rings_of_one_tile_and_of_many(log_n: int, cases: Any) -> None:
    """Every number of levels above the tiles, in transforms and with what is fused to them."""
    n = 1 << log_n
    moduli = cases.primes(n, 50, 2) + cases.primes(n, 40, 1)
    fast, slow = (Basis(n, moduli, path) for path in (SHIM[log_n % 2], None))
    x, key = cases.residues(slow), cases.residues(slow, 1, 2)
    assert np.array_equal(kernels.ntt(x, fast), kernels.ntt(x, slow))
    assert np.array_equal(kernels.intt(x, fast), kernels.intt(x, slow))
    x = np.ascontiguousarray(x[:2])
    results = [kernels.key_switch(x, key, Gadget(b, 1, 2), 5, x[None]) for b in (fast, slow)]
    assert np.array_equal(*results)


def test_many_ciphertexts_in_one_launch_are_each_one_alone(cases: Any) -> None:
    n = 128
    basis = Basis(n, cases.primes(n, 50, 5), SHIM[0])
    gadget, key = Gadget(basis, 2, 2), cases.residues(basis, 2, 2)
    x = cases.residues(gadget.level, 5)
    addend = cases.residues(gadget.level, 5, 2)
    module = kernels.dispatch.native(SHIM[0])
    out = module.empty((5, 2, 2, n))
    module.key_switch(gadget.handle, x, key, 5, addend, True, out)
    for b in range(5):
        assert np.array_equal(out[b], kernels.key_switch(x[b], key, gadget, 5, addend[b], rescale=True))
    streams = module.empty((3, basis.limbs, n))
    module.uniform(basis.handle, SEED, 4, streams)
    assert all(np.array_equal(row, kernels.uniform(SEED, 4 + s, basis)) for s, row in enumerate(streams))


def test_rejected_words_are_left_out_in_their_order(cases: Any, native_module: Any) -> None:
    """A modulus whose multiples leave much of 2^64 over: every stream but a few rejects some words."""
    n = 1 << 12
    q = next(p for p in range((7 << 47) + 1, 1 << 50, 2 * n) if (1 << 64) % p > p // 2 and is_prime(p))
    words, limit, rejected = np.empty(n, dtype=np.uint64), (1 << 64) // q * q, 0
    for stream in range(40):
        nonce = np.frombuffer(reference.nonce(stream, q), dtype="<u4").tolist()
        native_module.keystream(kernels.paths()[-1], SEED, nonce, 0, words)
        rejected += int((words >= limit).sum())
    assert rejected > 0
    expected = [kernels.uniform(SEED, stream, Basis(n, [q])) for stream in range(40)]
    for path in SHIM:
        basis = Basis(n, [q], path)
        assert np.array_equal([kernels.uniform(SEED, stream, basis) for stream in range(40)], expected)


def test_structures_are_those_of_the_sources() -> None:
    """Names, order and sizes of every field, as the C++ compiler lays them out."""
    text = "".join(file.read_text() for file in sorted(SOURCES.glob("*.cu*")))
    checks = []
    for name in [*re.findall(r"^KERNEL\(\w+, (\w+)\)", text, re.MULTILINE), "Modulus", "Conversion"]:
        structure = getattr(arguments, name)
        checks.append(f"static_assert(sizeof({name}) == {ctypes.sizeof(structure)});")
        for field, *_ in structure._fields_:
            offset = getattr(structure, field).offset
            member = {"input": "in"}.get(field, field)
            checks.append(f"static_assert(__builtin_offsetof({name}, {member}) == {offset});")
    command = [
        host.compiler(),
        "-std=c++17",
        "-DFIELD_FP64=1",
        "-fsyntax-only",
        "-x",
        "c++",
        "-I",
        SOURCES,
        "-",
    ]
    checked = '#include "kernels.cu"\n' + "\n".join(checks)
    subprocess.run(list(map(str, command)), input=checked, text=True, check=True)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc, of the CUDA toolkit")
@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
@pytest.mark.parametrize("fp64", [True, False])
def test_it_compiles_for_gpus_without_spilling(architecture: str, fp64: bool, tmp_path: Path) -> None:
    command = [
        "nvcc",
        f"-arch={architecture}",
        *options(fp64),
        "-Xptxas=-v",
        "--cubin",
        "kernels.cu",
        "-o",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    spilled = [int(size) for size in re.findall(r"(\d+) bytes spill", done.stderr)]
    assert spilled, done.stderr
    assert not any(spilled)


def nvrtc() -> ctypes.CDLL | None:
    """NVRTC, with which CuPy compiles: from NVIDIA's wheel or the system; None if there is none."""
    for folder in map(Path, sys.path):
        for file in sorted(folder.glob("nvidia/*/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(file))
    name = ctypes.util.find_library("nvrtc")
    return ctypes.CDLL(name) if name else None


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
def test_it_compiles_as_cupy_compiles_it(architecture: str) -> None:
    library = nvrtc()
    if library is None:
        pytest.skip("needs NVRTC, from the CUDA toolkit or the package nvidia-cuda-nvrtc")
    program = ctypes.c_void_p()
    text = source().encode()
    assert library.nvrtcCreateProgram(ctypes.byref(program), text, b"kernels.cu", 0, None, None) == 0
    flags = [option.encode() for option in (*options(True), f"-arch={architecture}")]
    failed = library.nvrtcCompileProgram(program, len(flags), (ctypes.c_char_p * len(flags))(*flags))
    log = ctypes.create_string_buffer(1 << 20)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    assert not failed, log.value.decode()
