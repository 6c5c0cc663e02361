"""Evaluation keys of the CKKS engine: loading them, their bytes on the wire and in memory."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.ckks import SPECS, build
from he.ckks import wire
from he.ckks.params import CkksParams
from he.engines.native import NativeEngine

TINY = ["n13-3primes"]


@pytest.mark.sizes("name", tiny=TINY, small=["n13-3primes", "n14-8primes"], paper=list(SPECS))
def test_keys_on_the_wire(benchmark: Any, name: str) -> None:
    """Load one relinearisation and one rotation key; their bytes on the wire and in memory."""
    s = build(name, None)
    data = wire.dump_evaluation_keys(s.keys)
    loaded = benchmark.pedantic(lambda: wire.load_evaluation_keys(s.ring, data), rounds=3)
    memory = loaded.relinearisation.data.nbytes
    on_wire = wire.switching_key_bytes(s.ring.params)
    benchmark.extra_info.update(key_wire_bytes=on_wire, key_memory_bytes=memory)
    assert on_wire < memory / 2
    np.testing.assert_array_equal(loaded.relinearisation.data, s.keys.relinearisation.data)


SERVER_PROGRAM = """
import re, sys
from pathlib import Path
from benchmarks.ckks import SPECS
from he.ckks.params import CkksParams
from he.engines.native import NativeEngine

def peak_kib():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

params = CkksParams.from_spec(SPECS[sys.argv[2]])
before = peak_kib()
keys = Path(sys.argv[1]).read_bytes()
evaluator = NativeEngine().evaluator(params, range(1, 33), keys)
print(len(keys), (peak_kib() - before) * 1024)
"""


@pytest.mark.sizes("name", tiny=TINY, small=["n14-8primes"], paper=["n15-19primes"])
def test_memory_of_32_rotation_keys(benchmark: Any, tmp_path: Path, name: str) -> None:
    """A server that loads relinearisation and 32 rotation keys: its peak, wire bytes included."""
    owner = NativeEngine().owner(CkksParams.from_spec(SPECS[name]), range(1, 33))
    path = tmp_path / "keys"
    path.write_bytes(owner.evaluation_keys())
    del owner
    command = [sys.executable, "-c", SERVER_PROGRAM, str(path), name]

    def load() -> list[int]:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return [int(number) for number in result.stdout.split()]

    wire_bytes, peak_bytes = benchmark.pedantic(load, rounds=1)
    benchmark.extra_info.update(keys_wire_bytes=wire_bytes, server_peak_bytes=peak_bytes)
    assert peak_bytes > wire_bytes
