"""Which paths this machine has, and the checks that every argument passes before native code sees it."""

import os
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]

REFERENCE = "reference"
DEVICES = ("cuda", "cuda-host", "cuda-host-integer")
"""A GPU, and its kernels compiled for the host, by FP64 or by integers, for tests. Chosen by name only."""
MIN_LOG_N, MAX_LOG_N = 4, 17
MAX_MODULUS_BITS = 50
FOUR_BYTES = 1 << 32
"""Residues of moduli below this are kept in four bytes where there are many to read."""
MAX_THREADS = 256


def _load() -> ModuleType | None:
    try:
        return import_module("he.kernels._native")
    except ModuleNotFoundError as error:
        if error.name != "he.kernels._native":
            raise
        return None


_module = _load()


def available() -> bool:
    """Whether the compiled kernels are installed. Without them only the slow path "reference" works."""
    return _module is not None


def on_device(path: str) -> bool:
    """Whether arrays of this path lie in a GPU's memory, or where its kernels take the host for it."""
    return path in DEVICES


def host_path(path: str) -> str:
    """The path for what the CPU does in any case: the fastest one in place of a device's."""
    return paths()[-1] if on_device(path) else path


def native(path: str) -> Any:
    """The compiled module of a path: that of the CPU, or launches on a device."""
    if on_device(path):
        from he.kernels.cuda.machines import module  # loads CuPy, which only this path needs

        return module(path)
    if _module is None:
        raise RuntimeError(
            "the compiled kernels are not installed; build them with a C++ compiler, or use path='reference'"
        )
    return _module


def paths() -> tuple[str, ...]:
    """The paths this machine can run, slowest first: "reference", then of "portable", "avx2", "avx512" those
    the CPU has.
    """
    return (REFERENCE, *(_module.paths() if _module is not None else ()))


def choose_path(path: str | None) -> str:
    """The given path if this machine has it, the fastest one for None."""
    have = paths()
    if path is not None and on_device(path):
        native(path)
        return path
    if path is None:
        return have[-1]
    if path not in have:
        raise ValueError(f"path {path!r} is not among those of this machine: {', '.join(have)}")
    return path


def choose_threads(threads: int | None) -> int:
    """The given count, all cores this process may use for None."""
    if threads is None:
        return (
            min(len(os.sched_getaffinity(0)), MAX_THREADS)
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1
        )
    if not 1 <= int_in(threads, "threads") <= MAX_THREADS:
        raise ValueError(f"threads: got {threads}, expected 1 to {MAX_THREADS}")
    return threads


def int_in(value: object, name: str) -> int:
    """The value if it is an integer, a TypeError naming it otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: got {type(value).__name__}, expected an integer")
    return int(value)


def check_ring_degree(n: object) -> int:
    """N if it is a power of two from 2^4 to 2^17."""
    degree = int_in(n, "n")
    if degree.bit_count() != 1 or not 1 << MIN_LOG_N <= degree <= 1 << MAX_LOG_N:
        raise ValueError(
            f"n: got {degree}, expected a power of two from {1 << MIN_LOG_N} to {1 << MAX_LOG_N}"
        )
    return degree


def check_array(x: Any, name: str, dtype: Any, tail: tuple[int, ...], ndim: int | None = None) -> None:
    """Raise unless x is a C-contiguous array of this dtype whose shape ends in `tail` (and has `ndim` axes,
    if given).
    """
    if not isinstance(x, np.ndarray) and not hasattr(x, "__cuda_array_interface__"):
        raise TypeError(f"{name}: got {type(x).__name__}, expected a NumPy array of {np.dtype(dtype).name}")
    if x.dtype != dtype:
        raise TypeError(f"{name}: got dtype {x.dtype}, expected {np.dtype(dtype).name}")
    if x.shape[-len(tail) :] != tail or (ndim is not None and x.ndim != ndim):
        lead = "..., " if ndim is None else "*, " * (ndim - len(tail))
        raise ValueError(f"{name}: got shape {x.shape}, expected ({lead}{', '.join(map(str, tail))})")
    if not x.flags.c_contiguous:
        raise ValueError(
            f"{name}: got strides {x.strides} for shape {x.shape}, expected a C-contiguous array"
        )


def check_poly(x: object, name: str, limbs: int, n: int, ndim: int | None = None) -> None:
    """`check_array` for residues: uint64, shape (..., limbs, N)."""
    check_array(x, name, np.uint64, (limbs, n), ndim)


def check_out(out: U64 | None, shape: tuple[int, ...]) -> None:
    """Raise unless `out` is None or a writable, contiguous uint64 array of exactly this shape."""
    if out is None:
        return
    check_array(out, "out", np.uint64, shape, len(shape))
    if not getattr(out.flags, "writeable", True):  # CuPy has no other arrays
        raise ValueError("out: got a read-only array, expected a writable one")


def share_memory(x: U64, y: U64) -> bool:
    """Whether two contiguous arrays overlap."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return np.may_share_memory(x, y)
    first, second = (a.__cuda_array_interface__["data"][0] for a in (x, y))
    return bool(first < second + y.nbytes and second < first + x.nbytes)


def check_galois(k: object, n: int) -> int:
    """k mod 2N if it is odd: X -> X^k is an automorphism."""
    exponent = int_in(k, "galois exponent")
    if exponent % 2 == 0:
        raise ValueError(f"galois exponent: got {exponent}, expected an odd integer")
    return exponent % (2 * n)


def check_seed(seed: object, stream: object) -> tuple[bytes, int]:
    """A 32-byte seed and a stream number in [0, 2^32)."""
    if not isinstance(seed, bytes):
        raise TypeError(f"seed: got {type(seed).__name__}, expected bytes")
    if len(seed) != 32:
        raise ValueError(f"seed: got {len(seed)} bytes, expected 32")
    number = int_in(stream, "stream")
    if not 0 <= number < 1 << 32:
        raise ValueError(f"stream: got {number}, expected 0 to 2^32 - 1")
    return seed, number


def check_count(items: Sequence[object], name: str, expected: int) -> None:
    """Raise unless the sequence has this many items."""
    if len(items) != expected:
        raise ValueError(f"{name}: got {len(items)} items, expected {expected}")
