"""Where a benchmark runs: the CPU, or an NVIDIA GPU if torch reaches one."""

from importlib.util import find_spec

DEVICES = ("cpu", "cuda")


def why_no_cuda() -> str | None:
    """Why nothing can run on a GPU here, None if it can."""
    if find_spec("torch") is None:
        return "torch is not installed, and it is what reaches the GPU"
    import torch

    return None if torch.cuda.is_available() else "no NVIDIA GPU here that torch can use"


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given: call it at the end of what is timed."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
