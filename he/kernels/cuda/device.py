"""The GPU, through CuPy: kernels compiled at run time and cached, memory pools, streams and graphs."""

import ctypes
import hashlib
import threading
from ctypes import Structure
from typing import Any

import numpy as np
import numpy.typing as npt

from he.kernels.cuda.machine import SOURCES, DeviceMemoryError

FULL_RATE_FP64 = ("80", "90", "100")
"""Compute capabilities with FP64 at half the rate of FP32: A100, H100 and H200, B200."""


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError("path 'cuda' needs CuPy: pip install 'latticework[cuda]'") from error
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        found = 0
    if not found:
        raise RuntimeError("path 'cuda' needs an NVIDIA GPU, and found none")
    return cupy


def source() -> str:
    """The text to compile, with a digest of what it includes: CuPy's cache goes by the text alone."""
    digest = hashlib.sha256()
    for file in sorted(SOURCES.glob("*.cu*")):
        digest.update(file.read_bytes())
    return f"// {digest.hexdigest()}\n" + (SOURCES / "kernels.cu").read_text()


def options(fp64: bool) -> tuple[str, ...]:
    """Of the compiler. Nothing is fused that the source does not fuse."""
    return ("-std=c++17", f"-DFIELD_FP64={int(fp64)}", f"-I{SOURCES}", "--fmad=false")


class GraphRecording:
    """A CUDA graph, with the pool that its memory lies in and the tables that were uploaded for it."""

    def __init__(self, machine: "DeviceMachine", graph: Any, pool: Any, tables: list[Any]) -> None:
        self._machine, self._graph, self._pool, self._tables = machine, graph, pool, tables

    def replay(self) -> None:
        """Launch the graph behind this thread's work so far."""
        self._graph.launch(self._machine.stream())


class DeviceMachine:
    """The current GPU. Every Python thread has its own stream, so that requests run side by side.

    fp64: arithmetic by FP64 or by integers; None: FP64 where it has full rate.
    """

    def __init__(self, fp64: bool | None = None) -> None:
        cupy = self._cupy = _cupy()
        self.fp64 = cupy.cuda.Device().compute_capability in FULL_RATE_FP64 if fp64 is None else fp64
        self._module = cupy.RawModule(code=source(), options=options(self.fp64), backend="nvrtc")
        self._functions: dict[str, Any] = {}
        self._pool = cupy.cuda.MemoryPool()
        self._local = threading.local()

    def stream(self) -> Any:
        """This thread's own."""
        if not hasattr(self._local, "stream"):
            self._local.stream = self._cupy.cuda.Stream(non_blocking=True)
            self._local.stream.use()
        return self._local.stream

    @property
    def _recording(self) -> tuple[Any, list[Any]] | None:
        """(pool, uploaded tables) while this thread records."""
        return getattr(self._local, "recording", None)

    def array(self, shape: tuple[int, ...], what: str) -> Any:
        """Uninitialised memory; while recording, of the recording's own."""
        return self._array(shape, what, self._recording[0] if self._recording else self._pool)

    def _array(self, shape: tuple[int, ...], what: str, pool: Any) -> Any:
        self.stream()
        memory = self._allocate(pool, 8 * int(np.prod(shape, dtype=np.int64)), what)
        return self._cupy.ndarray(shape, dtype=np.uint64, memptr=memory)

    def _allocate(self, pool: Any, size: int, what: str) -> Any:
        """Memory; when there is too little, what the pool keeps for later is given back first."""
        out_of_memory = self._cupy.cuda.memory.OutOfMemoryError
        try:
            return pool.malloc(size)
        except out_of_memory:
            self._pool.free_all_blocks()
        try:
            return pool.malloc(size)
        except out_of_memory as error:
            free, total = self._cupy.cuda.runtime.memGetInfo()
            raise DeviceMemoryError(
                f"{size} bytes needed for {what}, {free} of the GPU's {total} are free; keys, weights "
                f"and ciphertexts take {self._pool.used_bytes()}"
            ) from error

    def pointer(self, x: Any) -> int:
        """The address on the GPU."""
        if not isinstance(x, self._cupy.ndarray):
            raise TypeError(f"got {type(x).__name__}, expected a CuPy array: it must lie on the GPU")
        return int(x.data.ptr)

    def upload(self, x: npt.NDArray[Any], what: str) -> Any:
        """A copy on the GPU. While recording it is made at once, in memory that the graph never reuses."""
        recording, runtime = self._recording, self._cupy.cuda.runtime
        out = self._array((-(-x.nbytes // 8),), what, self._pool)
        contiguous = np.ascontiguousarray(x)
        stream = self._cupy.cuda.Stream(non_blocking=True) if recording else self.stream()
        address = contiguous.ctypes.data
        runtime.memcpyAsync(out.data.ptr, address, x.nbytes, runtime.memcpyHostToDevice, stream.ptr)
        stream.synchronize()
        if recording:
            recording[1].append(out)
        return out.reshape(x.shape) if x.dtype == np.uint64 else out

    def download(self, x: Any) -> npt.NDArray[Any]:
        """A copy on the host, once this thread's work is done."""
        out = np.asarray(x.get(stream=self.stream()))
        self.synchronize()
        return out

    def launch(self, kernel: str, grid: tuple[int, int, int], threads: int, arguments: Structure) -> None:
        """Behind this thread's work so far."""
        if kernel not in self._functions:
            self._functions[kernel] = self._module.get_function(kernel).kernel
        address = (ctypes.c_void_p * 1)(ctypes.addressof(arguments))
        pointer, stream = self._functions[kernel].ptr, self.stream().ptr
        self._cupy.cuda.driver.launchKernel(
            pointer, *grid, threads, 1, 1, 0, stream, ctypes.addressof(address), 0
        )

    def begin_recording(self) -> None:
        """Capture this thread's stream from now on."""
        self.synchronize()
        self._local.recording = (self._cupy.cuda.MemoryPool(), [])
        self.stream().begin_capture(mode=self._cupy.cuda.runtime.streamCaptureModeRelaxed)

    def end_recording(self) -> GraphRecording:
        """The captured graph."""
        pool, tables = self._local.recording
        self._local.recording = None
        return GraphRecording(self, self.stream().end_capture(), pool, tables)

    def synchronize(self) -> None:
        """Wait for this thread's stream. Nothing runs, and nothing is waited for, while it is recorded."""
        if self._recording is None:
            self.stream().synchronize()
