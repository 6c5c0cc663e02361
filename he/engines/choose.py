"""Which engine runs a plan: the one the caller names, or the fastest one that is installed."""

import warnings

from he.engines import native
from he.engines.cuda import CudaEngine
from he.engines.engine import Engine
from he.engines.native import NativeEngine
from he.engines.seal import SealEngine


def choose(engine: str | Engine | None) -> Engine:
    """The engine of this name, the engine itself, or for None the default; ValueError for an unknown name."""
    if engine is None:
        engine = "native" if native.available() else _fallback()
    if not isinstance(engine, str):
        return engine
    if engine == "native":
        return NativeEngine()
    if engine == "cuda":
        return CudaEngine()
    if engine == "seal":
        return SealEngine()
    raise ValueError(f"engine is {engine!r}, expected 'native', 'cuda' or 'seal'")


def _fallback() -> str:
    """Python shows a warning of this kind once a process."""
    warnings.warn(
        "the compiled kernels are not installed: he uses TenSEAL's SEAL, which is slower", stacklevel=4
    )
    return "seal"
