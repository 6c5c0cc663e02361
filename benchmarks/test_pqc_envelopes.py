"""Sealing files, beside bare AES-GCM in the same run, and what importing costs."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks import pqc_peers
from benchmarks.turns import Work
from pqc import envelope

MIB = 1 << 20
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> pqc_peers.Parties:
    return pqc_peers.make_parties(tmp_path_factory.mktemp("parties"))


ENVELOPE_PROGRAM = """
import sys, time
from pqc import envelope

class Zeros:
    def __init__(self, size): self.left = size
    def read(self, size):
        size = min(size, self.left); self.left -= size
        return BLOCK[:size]

class Nowhere:
    taken = 0
    def write(self, data): self.taken += len(data)

BLOCK, key = bytes(65536), envelope.AgeKey.generate()
sink = Nowhere()
started = time.perf_counter()
envelope.seal_stream(Zeros(int(sys.argv[1])), sink, [key.recipient])
seconds = time.perf_counter() - started
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(seconds, sink.taken, peak)
"""


@pytest.mark.sizes("mib", tiny=[8], small=[256], paper=[1024])
def test_sealing_beside_one_shot_aes_gcm(benchmark: Any, mib: int) -> None:
    """In a process of its own, so that its memory is its own; the one-shot call needs twice the content.

    The one-shot call is `AESGCM.encrypt`, and beside it `encrypt_into` memory that was already touched.
    """

    def seal() -> tuple[float, int, int]:
        command = [sys.executable, "-c", ENVELOPE_PROGRAM, str(mib * MIB)]
        result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        seconds, sealed_bytes, peak_kib = result.stdout.split()
        return float(seconds), int(sealed_bytes), int(peak_kib)

    tries = 3 if benchmark.enabled else 1
    content, cipher = bytes(mib * MIB), AESGCM(bytes(32))
    touched = bytearray(len(content) + 16)
    cipher.encrypt_into(bytes(12), content, None, touched)

    def took_s(work: Work) -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    one_shot_s = min(took_s(lambda: cipher.encrypt(bytes(12), content, None)) for _ in range(tries))
    into_s = min(took_s(lambda: cipher.encrypt_into(bytes(12), content, None, touched)) for _ in range(tries))
    seconds, sealed_bytes, peak_kib = min(seal() for _ in range(tries))
    assert sealed_bytes > mib * MIB
    benchmark.extra_info.update(
        speed_of_one_shot_aes_gcm=round(one_shot_s / seconds, 3),
        speed_of_one_shot_into_touched_memory=round(into_s / seconds, 3),
        gigabytes_per_second=round(mib * MIB / seconds / 1e9, 2),
        peak_mib=peak_kib // 1024,
    )
    benchmark.pedantic(seal, rounds=1)
    assert peak_kib < 64 * 1024


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("operation", ["seal", "open"])
@pytest.mark.sizes("mib", tiny=[1], small=[16])
def test_envelope(benchmark: Any, parties: pqc_peers.Parties, operation: str, signed: bool, mib: int) -> None:
    key, plain = envelope.AgeKey.generate(), os.urandom(mib * MIB)
    signer, trust = (parties.client, parties.trust) if signed else (None, None)
    sealed = envelope.seal_bytes(plain, [key.recipient], signer=signer)
    assert envelope.open_bytes(sealed, [key], trust=trust).content == plain
    work: dict[str, Work] = {
        "seal": lambda: envelope.seal_bytes(plain, [key.recipient], signer=signer),
        "open": lambda: envelope.open_bytes(sealed, [key], trust=trust),
    }
    benchmark(work[operation])


def test_import(benchmark: Any) -> None:
    """Processor time of a fresh interpreter less an empty one: the import, then also every public name."""

    def cpu_s(program: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    tries = 5 if benchmark.enabled else 1
    empty = min(cpu_s("pass") for _ in range(tries))
    benchmark.pedantic(cpu_s, args=("import pqc",), rounds=tries)
    imported = min(cpu_s("import pqc") for _ in range(tries)) - empty
    whole = (
        min(cpu_s("import pqc; [getattr(pqc, name) for name in pqc.__all__]") for _ in range(tries)) - empty
    )
    benchmark.extra_info.update(import_s=round(imported, 3), every_name_s=round(whole, 3))
