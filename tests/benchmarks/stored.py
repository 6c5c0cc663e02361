"""A small stored run for the tests of what reads one."""

from dataclasses import replace
from typing import Any

from benchmarks.results import Duel, Entry, Results, Side

ENTRIES = [
    Entry(
        "test_kernels.py::test_ntt[n=2^13]", "passed", "", [1.0e-3, 1.1e-3, 1.05e-3], {"threads": 1}, 1 << 20
    ),
    Entry("test_kernels.py::test_wrong", "failed", "assert 1 == 2"),
    Entry("test_kernels.py::test_gpu", "skipped", "no GPU"),
]
DUEL = Duel(
    "ckks_rotate", "n=2^13", 1,
    Side("latticework", "0", [1e-3, 2e-3, 1e-3], 174.0, 128, 27.0),
    Side("seal", "1", [4e-3, 8e-3, 6e-3], 200.0, 128, 26.0),
)  # fmt: skip
MACHINE: dict[str, Any] = {
    "processor": "a <processor>", "flags": ["avx2"], "cores": 2, "caches_bytes": [32768],
    "memory_bytes": 1 << 34,
    "system": "Linux", "python": "3.11", "versions": {"numpy": "2"}, "kernel_paths": ["reference"],
    "commit": "0123456789ab", "gpu": None, "load": [0.1], "variables": {},
}  # fmt: skip
LIMITS = {"bandwidth": {"262144": 9e10, "134217728": 2e10}, "multiplies_per_s": 3e10}


def results(**changes: Any) -> Results:
    options = {"size": "tiny", "device": "cpu", "keyword": "", "peers": "seal", "files": "kernels"}
    whole = Results(
        "2026-11-01T00:00:00+00:00", options, MACHINE, LIMITS, ENTRIES, [DUEL], {"spu": "not there"}
    )
    return replace(whole, **changes)
