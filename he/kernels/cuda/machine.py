"""The machine that launches run on, as the launch layer sees it, and the error when its memory is short."""

from ctypes import Structure
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

SOURCES = Path(__file__).parent

Array: TypeAlias = Any
"""A C-contiguous array of the machine: CuPy's on a GPU, NumPy's on the host."""


class DeviceMemoryError(MemoryError):
    """The machine's memory was too small: says how much was needed by what, and how much there was."""


class Recording(Protocol):
    """Launches that were recorded, with all the memory they use."""

    def replay(self) -> None:
        """Run them again, in the same memory."""


class Machine(Protocol):
    """Memory and launches. All work of one Python thread is done in its order."""

    def array(self, shape: tuple[int, ...], what: str) -> Array:
        """Uninitialised uint64 memory; DeviceMemoryError naming `what` if there is too little."""

    def pointer(self, x: Array) -> int:
        """The address of the first element; TypeError for an array of another machine."""

    def upload(self, x: npt.NDArray[Any], what: str) -> Array:
        """A copy on the machine, ready for every thread."""

    def download(self, x: Array) -> npt.NDArray[Any]:
        """A copy on the host, of what all work before leaves there."""

    def launch(self, kernel: str, grid: tuple[int, int, int], threads: int, arguments: Structure) -> None:
        """Run a kernel once all work before is done; returns at once."""

    def begin_recording(self) -> None:
        """From now on launches of this thread are recorded, not run; memory is kept for them."""

    def end_recording(self) -> Recording:
        """What was recorded."""

    def synchronize(self) -> None:
        """Wait for all work of this thread."""


def address(x: npt.NDArray[np.uint64]) -> int:
    """The address of a NumPy array."""
    return int(x.ctypes.data)
