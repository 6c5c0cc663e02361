"""What this machine can do at best, measured in a second: bandwidth by working set, products a second.

Both are single-threaded and come from NumPy and its BLAS, not from our kernels: a kernel is held against the
machine, not against itself. Run as a program of its own (`measure` does), so that the BLAS has one thread.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

# Bytes of source and target together; for smaller ones the call itself would count.
WORKING_SETS = [1 << log for log in (18, 20, 22, 24, 27)]
MATRIX = 768
REPEATS = 9
LEAST_S = 0.004
# They choose an older BLAS core, whose products are not what the processor can do.
MISLEADING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def measure() -> dict[str, Any]:
    """{"bandwidth": {bytes of the working set: bytes a second}, "multiplies_per_s": products a second}."""
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.limits"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    if result.returncode:
        raise RuntimeError(f"the machine's limits could not be measured: {result.stderr.strip()[-300:]}")
    limits: dict[str, Any] = json.loads(result.stdout)
    return limits


def best_s(work: Callable[[], object]) -> float:
    """The shortest time of one call: what disturbs can only add."""
    work()
    start = time.perf_counter()
    work()
    number = max(1, int(LEAST_S / max(time.perf_counter() - start, 1e-9)))
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(number):
            work()
        best = min(best, (time.perf_counter() - start) / number)
    return best


def bandwidth(working_set: int) -> float:
    """Bytes read and written a second by a copy whose source and target take so many bytes together."""
    source = np.ones(working_set // 16)
    target = np.empty_like(source)
    return working_set / best_s(lambda: np.copyto(target, source))


def multiplies() -> float:
    """Fused products a second, of a matrix product in doubles: 52-bit integer products use the same units."""
    x = np.random.default_rng(0).integers(-8, 8, (MATRIX, MATRIX)).astype(np.float64)
    out = np.empty_like(x)
    seconds = best_s(lambda: np.matmul(x, x, out=out))
    exact = x[0].astype(np.int64) @ x.astype(np.int64)
    if not np.array_equal(out[0], exact):
        raise RuntimeError("the BLAS gave a wrong product: its speed says nothing")
    return MATRIX**3 / seconds


if __name__ == "__main__":
    measured = {str(size): bandwidth(size) for size in WORKING_SETS}
    print(json.dumps({"bandwidth": measured, "multiplies_per_s": multiplies()}))
