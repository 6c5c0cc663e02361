"""What a result was measured on: processor, memory, system, versions, commit, kernels."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from he import kernels

PACKAGES = (
    "numpy",
    "tenseal",
    "torch",
    "crypten",
    "cryptography",
    "pqcrypto",
    "pyOpenSSL",
    "scikit-learn",
    "pytest-benchmark",
)
WATCHED_FLAGS = ("avx2", "fma", "avx512f", "avx512dq", "avx512ifma", "asimd", "sve")
WATCHED_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "GOMAXPROCS", "OPENBLAS_CORETYPE")
ROOT = Path(__file__).parents[1]


def describe(device: str = "cpu") -> dict[str, Any]:
    """All of it, as values for JSON."""
    model, flags = _processor()
    return {
        "processor": model,
        "flags": flags,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "caches_bytes": caches(),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "kernel_paths": list(kernels.paths()),
        "commit": commit(),
        "gpu": _gpu() if device == "cuda" else None,
        "load": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else [],
        "variables": {name: os.environ[name] for name in WATCHED_VARIABLES if name in os.environ},
    }


def caches() -> list[int]:
    """Bytes of the data caches of the first core, from the first level up; empty where unknown."""
    found: dict[int, int] = {}
    for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        try:
            kind = (folder / "type").read_text().strip()
            size = (folder / "size").read_text().strip()
            level = int((folder / "level").read_text())
        except (OSError, ValueError):
            continue
        if kind != "Instruction" and size.endswith("K"):
            found[level] = int(size[:-1]) << 10
    return [found[level] for level in sorted(found)]


def commit() -> str:
    """The commit of the sources, with "+changes" if they differ from it; "unknown" outside a clone."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> tuple[str, list[str]]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown", []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    return fields.get("model name", platform.machine()), [flag for flag in WATCHED_FLAGS if flag in flags]


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _gpu() -> str | None:
    from benchmarks import devices

    return None if devices.why_no_cuda() else devices.name()
