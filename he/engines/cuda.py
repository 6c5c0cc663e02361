"""Engine `cuda`: the same scheme with its arrays on an NVIDIA GPU, bit for bit what `native` computes.

The owner of the secret key works on the CPU, and all bytes are those of `native`: a client need not know
where its ciphertexts are computed on. Ciphertexts, keys and encoded weights stay on the GPU.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks import evaluate, wire
from he.ckks.cipher import Ciphertext, Plaintext
from he.ckks.linear import Diagonals
from he.ckks.params import CkksParams
from he.ckks.ring import Ring, Values
from he.ckks.streaming import Reader
from he.ckks.transform import LinearMap
from he.engines.native import NativeEngine, NativeEvaluator, NativeKeyOwner
from he.kernels.cuda.machine import Recording
from he.kernels.cuda.machines import module

TOGETHER = 16
"""Ciphertexts that one launch multiplies: enough to fill a card, few enough for its memory."""
GRAPHS = 4
"""Requests for one program that run side by side; each graph keeps the memory of one."""

Program: TypeAlias = Callable[[Sequence[Ciphertext]], list[Ciphertext]]


@dataclass(frozen=True)
class CudaEngine:
    """path: "cuda" for the GPU; "cuda-host" or "cuda-host-integer" for its kernels on the host, in tests."""

    path: str = "cuda"
    name: str = wire.ENGINE

    def owner(self, params: CkksParams, rotations: Collection[int]) -> NativeKeyOwner:
        """Make fresh keys, on the CPU."""
        return NativeEngine().owner(params, rotations)

    def evaluator(
        self, params: CkksParams, rotations: Collection[int], keys: bytes | memoryview | Reader
    ) -> "CudaEvaluator":
        """An evaluator with the keys of `KeyOwner.evaluation_keys` on the GPU; ValueError if they do not fit.

        RuntimeError without a GPU and CuPy.
        """
        loaded = NativeEngine(path=self.path).evaluator(params, rotations, keys)
        module(self.path).machine.synchronize()  # every thread may use them from now on
        return CudaEvaluator(loaded)

    def largest_keys_bytes(self, params: CkksParams, rotations: Collection[int]) -> int:
        """As for `native`."""
        return NativeEngine().largest_keys_bytes(params, rotations)

    def largest_ciphertext_bytes(self, params: CkksParams) -> int:
        """As for `native`."""
        return NativeEngine().largest_ciphertext_bytes(params)


class CudaEvaluator(NativeEvaluator):
    """The verbs of `native`, on the GPU; and sequences of them as one CUDA graph."""

    def __init__(self, evaluator: NativeEvaluator) -> None:
        super().__init__(evaluator._keys)
        self._machine = module(self._ring.full.path).machine

    def encode(self, values: NDArray[np.float64], level: int, scale: float) -> Plaintext:
        """Real values (slots,) as a plaintext on the GPU, for every thread to use."""
        plain = super().encode(values, level, scale)
        self._machine.synchronize()
        return plain

    def encode_linear(self, diagonals: Diagonals, level: int, scale: float) -> LinearMap:
        """A linear map on slots with all its diagonals on the GPU, for every thread to use."""
        linear = super().encode_linear(diagonals, level, scale)
        self._machine.synchronize()
        return linear

    def multiply_each(self, xs: Sequence[Ciphertext], ys: Sequence[Ciphertext]) -> list[Ciphertext]:
        """`multiply` of each pair, all of one level, TOGETHER in a launch."""
        spans = (slice(i, i + TOGETHER) for i in range(0, len(xs), TOGETHER))
        return [y for s in spans for y in evaluate.multiply_each(self._keys, xs[s], ys[s])]

    def record(self, program: Program, like: Sequence[Ciphertext]) -> "Recorded":
        """The launches of program(inputs) for inputs of these levels and scales, to be run again and again.

        The program must do the same whatever its inputs hold, and it keeps all its memory.
        """
        return Recorded(self._ring, program, like)

    def repeated(self, program: Program) -> Program:
        """The program as up to GRAPHS graphs, recorded when first needed, for several threads at once."""
        return Repeated(self._ring, program)


class Recorded:
    """A program on ciphertexts as a graph of launches: what Python decided is decided, only data differ."""

    def __init__(
        self,
        ring: Ring,
        program: Program,
        like: Sequence[Ciphertext],
    ) -> None:
        self._ring = ring
        program(like)  # tables that are made at first use are made now, and stay
        machine = self._machine = module(ring.full.path).machine
        self._inputs = [_copy(ring, x) for x in like]
        machine.begin_recording()
        try:
            self._outputs = program(self._inputs)
        finally:
            self._recording: Recording = machine.end_recording()

    def __call__(self, inputs: Sequence[Ciphertext]) -> list[Ciphertext]:
        """The program's results; ValueError for other levels or scales. One call at a time."""
        given, expected = ([(x.level, x.scale) for x in xs] for xs in (inputs, self._inputs))
        if given != expected:
            raise ValueError(f"inputs have levels and scales {given}, expected {expected}")
        for x, own in zip(inputs, self._inputs, strict=True):
            kernels.copy(x.data, self._ring.basis(x.level), out=own.data)
        self._recording.replay()
        results = [_copy(self._ring, y) for y in self._outputs]
        self._machine.synchronize()  # the next call may come from another thread
        return results


class Repeated:
    """A program for several requests in flight: each takes a graph that is idle, or waits for one."""

    def __init__(self, ring: Ring, program: Program) -> None:
        self._ring, self._program = ring, program
        self._idle: queue.LifoQueue[Recorded | None] = queue.LifoQueue()
        self._may_record = threading.Semaphore(GRAPHS)

    def __call__(self, inputs: Sequence[Ciphertext]) -> list[Ciphertext]:
        """The program's results, always for inputs of the same levels and scales."""
        recorded = self._taken(inputs)
        try:
            return recorded(inputs)
        finally:
            self._idle.put(recorded)

    def _taken(self, like: Sequence[Ciphertext]) -> Recorded:
        while True:
            idle = None
            with contextlib.suppress(queue.Empty):
                idle = self._idle.get_nowait()
            if idle is None and self._may_record.acquire(blocking=False):
                return self._recorded(like)
            if idle is None:
                idle = self._idle.get()
            if idle is not None:
                return idle

    def _recorded(self, like: Sequence[Ciphertext]) -> Recorded:
        try:
            return Recorded(self._ring, self._program, like)
        except BaseException:
            self._may_record.release()
            self._idle.put(None)  # whoever waits may record in its place
            raise


def _copy(ring: Ring, x: Ciphertext) -> Ciphertext:
    basis = ring.basis(x.level)
    data = kernels.copy(x.data, basis, kernels.empty(x.data.shape, basis))
    return Ciphertext(cast(Values, data), x.level, x.scale)
