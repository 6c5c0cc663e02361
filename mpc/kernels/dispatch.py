"""Which paths this machine has, which one a product takes, and the call of the compiled one."""

from __future__ import annotations

import functools
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

TORCH = "torch"

I64 = npt.NDArray[np.int64]


def _load() -> ModuleType | None:
    try:
        return import_module("mpc.kernels._ring")
    except ModuleNotFoundError as error:
        if error.name != "mpc.kernels._ring":
            raise
        return None


_module = _load()


class Matrix(NamedTuple):
    """Word (i, j) is data[rows[i] + columns[j]]."""

    data: I64
    rows: I64
    columns: I64

    def t(self) -> Matrix:
        """Rows and columns in each other's place."""
        return Matrix(self.data, self.columns, self.rows)


def available() -> bool:
    """Whether the compiled kernels are installed. Without them every product is torch's."""
    return _module is not None


@functools.cache
def paths() -> tuple[str, ...]:
    """The paths this machine can run, slowest first: "torch", then of "portable", "avx2", "avx512" those the
    CPU has.
    """
    return (TORCH, *(_module.paths() if _module is not None else ()))


def choose_path(path: str | None, *factors: Any) -> str:
    """The given path, or for None the fastest one for these factors: torch's for all but int64 on the CPU."""
    words = all(
        type(x) is torch.Tensor and x.dtype == torch.int64 and x.device.type == "cpu" for x in factors
    )
    if path is None:
        if words and _module is None:
            _complain()
        return paths()[-1] if words else TORCH
    if path not in paths():
        raise ValueError(f"path {path!r} is not among those of this machine: {', '.join(paths())}")
    if path != TORCH and not words:
        kinds = " and ".join(f"{x.dtype} on {x.device}" for x in factors)
        raise ValueError(f"path {path!r} is for int64 on the CPU, got {kinds}")
    return path


@functools.cache
def _complain() -> None:
    """Once a process."""
    warnings.warn(
        "the compiled kernels are not installed: products of shares are torch's, which are slower",
        stacklevel=4,
    )


@functools.lru_cache(maxsize=4096)
def evenly(count: int, step: int) -> I64:
    """The places 0, step, 2 step, ..."""
    places = np.arange(count, dtype=np.int64) * step
    places.flags.writeable = False
    return places


def words_of(x: torch.Tensor) -> I64:
    """The memory from a tensor's first word to its last, as it lies; the tensor has at least one word."""
    count = 1 + sum((size - 1) * stride for size, stride in zip(x.shape, x.stride(), strict=True))
    words: I64 = x.detach().as_strided((count,), (1,)).numpy()
    return words


def native() -> Any:
    """The compiled module."""
    if _module is None:
        raise RuntimeError("the compiled kernels are not installed; build them with a C++ compiler")
    return _module


def multiply(path: str, x: Matrix, y: Matrix, out: Matrix, add: bool = False, block: int = 1) -> None:
    """out = x y by the compiled kernels, or out += x y: then a place of out may be met again within `block`
    columns, but not beyond.
    """
    native().multiply(path, torch.get_num_threads(), *x, *y, *out, add, block)
