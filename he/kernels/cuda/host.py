"""The kernels compiled for the host, so that they and their launches are tested without a GPU."""

import ctypes
import hashlib
import os
import shutil
import subprocess  # runs the compiler, with a fixed command
import tempfile
import threading
import weakref
from collections.abc import Callable
from ctypes import Structure, byref
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.cuda.machine import SOURCES, DeviceMemoryError, address

FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-x", "c++")


def compiler() -> str | None:
    """The C++ compiler of this machine: $CXX, or c++ or g++."""
    return shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")


@cache
def library(fp64: bool) -> ctypes.CDLL:
    """The compiled kernels, from the cache if the sources are unchanged."""
    command = compiler()
    if command is None:
        raise RuntimeError("no C++ compiler found, expected c++ or g++: path 'cuda-host' needs one")
    digest = hashlib.sha256(repr((command, FLAGS, fp64)).encode())
    for file in sorted(SOURCES.glob("*.cu*")):
        digest.update(file.read_bytes())
    target = _cache_folder() / f"host-{digest.hexdigest()[:24]}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / "kernels.so"
            arguments = [command, *FLAGS, f"-DFIELD_FP64={int(fp64)}", "kernels.cu", "-o", str(built)]
            subprocess.run(arguments, cwd=SOURCES, check=True)  # noqa: S603
            built.replace(target)
    return ctypes.CDLL(str(target))


def _cache_folder() -> Path:
    """A folder of this user's alone."""
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "latticework"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


class HostRecording:
    """Launches with their arguments, and the arrays they use."""

    def __init__(self) -> None:
        self.launches: list[Callable[[], None]] = []
        self.arrays: list[Any] = []

    def replay(self) -> None:
        """Run them in their order."""
        for launch in self.launches:
            launch()


class HostMachine:
    """The host as a GPU: `limit_bytes` of memory, arithmetic by FP64 or by integers."""

    def __init__(self, fp64: bool = True, limit_bytes: int | None = None) -> None:
        self._library, self._limit = library(fp64), limit_bytes
        self._used_bytes = 0
        self._local = threading.local()

    @property
    def used_bytes(self) -> int:
        """Memory of all arrays that are alive."""
        return self._used_bytes

    def array(self, shape: tuple[int, ...], what: str) -> npt.NDArray[np.uint64]:
        """Memory filled with what no kernel may rely on."""
        needed = 8 * int(np.prod(shape))
        if self._limit is not None and self._used_bytes + needed > self._limit:
            free = self._limit - self._used_bytes
            raise DeviceMemoryError(f"{needed} bytes needed for {what}, {free} of {self._limit} are free")
        out = np.full(shape, (1 << 64) - 1, dtype=np.uint64)
        self._used_bytes += needed
        weakref.finalize(out, self._freed, needed)
        recording = self._recording
        if recording is not None:
            recording.arrays.append(out)
        return out

    def _freed(self, size: int) -> None:
        self._used_bytes -= size

    def pointer(self, x: Any) -> int:
        """The address of a contiguous NumPy array."""
        if not isinstance(x, np.ndarray):
            raise TypeError(f"got {type(x).__name__}, expected a NumPy array")
        recording = self._recording
        if recording is not None:
            recording.arrays.append(x)
        return address(x)

    def upload(self, x: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
        """A copy."""
        out = self.array((-(-x.nbytes // 8),), what)
        flat = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
        out.view(np.uint8)[: x.nbytes] = flat
        return out.reshape(x.shape) if x.dtype == np.uint64 else out

    def download(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A copy."""
        return np.array(x)

    def launch(self, kernel: str, grid: tuple[int, int, int], threads: int, arguments: Structure) -> None:
        """Run the kernel, or note it down."""
        function = getattr(self._library, f"launch_{kernel}")

        def run() -> None:
            function(*grid, threads, byref(arguments))

        recording = self._recording
        if recording is not None:
            recording.launches.append(run)
        else:
            run()

    @property
    def _recording(self) -> HostRecording | None:
        return getattr(self._local, "recording", None)

    def begin_recording(self) -> None:
        """Note launches down from now on."""
        self._local.recording = HostRecording()

    def end_recording(self) -> HostRecording:
        """What was noted down."""
        recording: HostRecording = self._local.recording
        self._local.recording = None
        return recording

    def synchronize(self) -> None:
        """Nothing is left to wait for."""
