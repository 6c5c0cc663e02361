"""Handles and paths: what they accept, what they refuse, and life without the compiled module."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from he import kernels
from he.kernels import Basis, Embedding

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("n", "moduli", "error", "words"),
    [
        (24, [97], ValueError, "n: got 24, expected a power of two from 16 to 131072"),
        (8, [97], ValueError, "n: got 8"),
        (1 << 18, [97], ValueError, "n: got 262144"),
        (16.0, [97], TypeError, "n: got float"),
        (16, [], ValueError, "one or more different primes"),
        (16, [97, 97], ValueError, "one or more different primes"),
        (16, [101], ValueError, "modulus: got 101, expected a prime = 1 mod 32 below 2\\^50"),
        (16, [33], ValueError, "modulus: got 33"),
        (16, [(1 << 51) + 1], ValueError, "below 2\\^50"),
        (16, [-31], ValueError, "modulus: got -31"),
        (16, [97.0], TypeError, "modulus: got float"),
    ],
)
def test_bad_bases_are_refused(n: int, moduli: list[int], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        Basis(n, moduli)


def test_bad_choices_are_refused() -> None:
    basis = Basis(16, [97, 193], "reference")
    with pytest.raises(ValueError, match="path 'sse' is not among those of this machine: reference"):
        Basis(16, [97], "sse")
    for threads in (0, -1, 257):
        with pytest.raises(ValueError, match=f"threads: got {threads}, expected 1 to 256"):
            Basis(16, [97], threads=threads)
    with pytest.raises(TypeError, match="threads: got bool"):
        Embedding(16, threads=True)
    for indices in ([], [0, 0], [2], [-1]):
        with pytest.raises(ValueError, match="indices: got"):
            basis.select(indices)


def test_a_selection_computes_the_same(path: str, cases) -> None:
    basis = Basis(128, cases.primes(128, 40, 4), path, 1)
    part = basis.select([3, 1])
    assert part.moduli == (basis.moduli[3], basis.moduli[1])
    x = cases.residues(basis)
    assert np.array_equal(kernels.ntt(x[[3, 1]], part), kernels.ntt(x, basis)[[3, 1]])


def test_arrays_outlive_their_pool_and_are_aligned(native_path: str, cases) -> None:
    basis = Basis(16, cases.primes(16, 40, 1), native_path, 1)
    arrays = [kernels.empty((3, 1 << i), basis) for i in range(16)]
    for i, array in enumerate(arrays):
        array[...] = i
    assert all((array == i).all() and array.ctypes.data % 64 == 0 for i, array in enumerate(arrays))
    assert kernels.empty((0, 4), basis).shape == (0, 4)


def test_the_extension_is_found_from_the_source_tree() -> None:
    """The editable installation also serves programs started in the repository, whose folder shadows the
    package.
    """
    if not kernels.available():
        pytest.skip("compiled kernels not installed")
    program = "import he.kernels, sys; sys.exit(not he.kernels.available())"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_without_the_compiled_module_the_reference_works() -> None:
    program = (
        "import sys; sys.modules['he.kernels._native'] = None\n"
        "import numpy as np\n"
        "from he import kernels\n"
        "assert not kernels.available() and kernels.paths() == ('reference',)\n"
        "basis = kernels.Basis(16, [97])\n"
        "x = np.arange(16, dtype=np.uint64)[None]\n"
        "assert basis.path == 'reference' and (kernels.intt(kernels.ntt(x, basis), basis) == x).all()\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_importing_the_kernels_starts_nothing() -> None:
    program = "import threading, he.kernels, os; assert len(os.listdir('/proc/self/task')) == 1"
    if not Path("/proc/self/task").exists():
        pytest.skip("needs /proc")
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": ""}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60, env=environment)
