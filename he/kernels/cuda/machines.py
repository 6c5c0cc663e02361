"""One launch layer for each machine, made when first asked for."""

from functools import cache

from he.kernels.cuda.module import Module


@cache
def module(path: str) -> Module:
    """Launches on the machine of this path; RuntimeError saying what is missing."""
    if path == "cuda":
        from he.kernels.cuda.device import DeviceMachine

        return Module(DeviceMachine())
    from he.kernels.cuda.host import HostMachine

    return Module(HostMachine(fp64=path == "cuda-host"))
