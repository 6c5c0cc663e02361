"""Where a benchmark runs: the CPU, or an NVIDIA GPU if CuPy or torch reaches one."""

from importlib.util import find_spec
from typing import Any

DEVICES = ("cpu", "cuda")


def _cupy() -> Any:
    """CuPy if it is installed and finds a GPU."""
    if find_spec("cupy") is None:
        return None
    import cupy

    return cupy if cupy.cuda.is_available() else None


def why_no_cuda() -> str | None:
    """Why nothing can run on a GPU here, None if it can."""
    if _cupy() is not None:
        return None
    if find_spec("torch") is None:
        return "neither CuPy finds a GPU here nor is torch installed"
    import torch

    return None if torch.cuda.is_available() else "no NVIDIA GPU here that CuPy or torch can use"


def name() -> str:
    """The name of the GPU, where there is one."""
    cupy = _cupy()
    if cupy is not None:
        return str(cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())
    import torch

    return str(torch.cuda.get_device_name())


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given: call it at the end of what is timed."""
    if device != "cuda":
        return
    cupy = _cupy()
    if cupy is not None:
        cupy.cuda.Device().synchronize()
        return
    import torch

    torch.cuda.synchronize()
