"""The rates of this machine, measured by the kernels themselves on one thread, once, and kept in a file.

Keys and weights are taken in turns from more memory than the caches hold, as in a run. The file lies where
programs of a user keep what they can make again: `~/.cache/latticework`.
"""

import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np

from he import kernels
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring
from he.latency.cost import Costs, Rates

RINGS = {13: 6, 14: 9, 15: 18}
"""log2 of ring degrees, and the primes of a typical chain there: twiddles of many do not stay in a cache."""
SPREAD_BYTES = 1 << 26
"""Keys and weights of a measurement take as much or more: they come from memory, as a plan's do."""
TERMS, SUMS = 8, 8
"""Products in a sum, and sums over the same rotated inputs: about what a giant step of a plan has."""
CALLS = 4
"""Python around a kernel call of a run: checks, tables, the ciphertext made of the result, in bare calls."""
VERSION = 4


def folder() -> Path:
    """Where measured rates are kept."""
    return Path.home() / ".cache" / "latticework"


@cache
def of_machine() -> Costs:
    """The rates of this machine: from the file, or measured now, which takes a second or two.

    Without compiled kernels the default ones: nobody waits for exact times there.
    """
    if not kernels.available():
        return Costs()
    path, name = folder() / f"costs-{VERSION}.json", f"{platform.processor()} {_cpu()} {kernels.paths()[-1]}"
    known = _load(path)
    if name not in known:
        measured = {log_n: measure(log_n, primes) for log_n, primes in RINGS.items()}
        known[name] = {str(log_n): asdict(rates) for log_n, rates in measured.items()}
        _store(path, known)
    return Costs({int(log_n): Rates(**rates) for log_n, rates in known[name].items()})


def measure(log_n: int, primes: int, spread_bytes: int = SPREAD_BYTES) -> Rates:
    """The rates in a ring of degree 2^log_n, with a chain of so many primes in three digits."""
    call_s = _call_s()
    transform_s, key_s, product_s = _seconds(log_n, primes, 30, spread_bytes, call_s)
    _, large_key_s, large_product_s = _seconds(log_n, primes, 40, spread_bytes, call_s)
    return Rates(
        transform_ns=1e9 * transform_s,
        key_ns=1e9 * key_s,
        product_ns=1e9 * product_s,
        large_key_ns=1e9 * large_key_s,
        large_product_ns=1e9 * large_product_s,
        call_us=1e6 * CALLS * call_s,
    )


def _call_s() -> float:
    """Seconds of a call that does next to nothing."""
    small = Ring(CkksParams.from_spec(CkksSpec(log_n=10, depth=3, insecure=True)), threads=1)
    one = kernels.uniform(bytes(32), 0, small.basis(3))
    return _least(lambda: kernels.add(one, one, small.basis(3)))


def _seconds(
    log_n: int, primes: int, bits: int, spread_bytes: int, call_s: float
) -> tuple[float, float, float]:
    """Seconds of a butterfly, and of a product with a key and with a weight, with primes of so many bits."""
    spec = CkksSpec(
        log_n=log_n,
        depth=primes - 1,
        scale_bits=bits - 2,
        first_bits=bits,
        special=-(-primes // 3),
        special_bits=bits,
        insecure=True,
    )
    ring = Ring(CkksParams.from_spec(spec), threads=1)
    gadget, basis = ring.gadget(primes - 1), ring.extended(primes - 1)
    entries = basis.limbs * basis.n
    x = kernels.uniform(bytes(32), 0, ring.basis(primes - 1))
    digits = kernels.decompose(x, gadget)
    transform_s = _least(lambda: kernels.decompose(x, gadget)) - call_s
    key = np.stack(
        [np.stack([kernels.uniform(bytes(32), i, basis) for i in range(2)]) for _ in range(gadget.digits)]
    )
    kept = kernels.compact_key(key, basis)
    keys = [kept.copy() for _ in range(max(2, spread_bytes // kept.nbytes))]
    key_s = _least(lambda: [kernels.inner_product(digits, k, gadget) for k in keys]) / len(keys) - call_s
    pairs, plain = [key[0].copy() for _ in range(TERMS)], [key[0, 0]] * TERMS * SUMS
    groups = [kernels.Weights(plain, basis)]
    groups += [kernels.Weights(plain, basis) for _ in range(spread_bytes // groups[0].nbytes)]
    rows = [list(range(TERMS))] * SUMS
    product_s = _least(lambda: [kernels.weighted_sums(group, pairs, rows) for group in groups])
    product_s = (product_s / len(groups) - call_s) / (TERMS * SUMS)
    return (
        transform_s / (gadget.digits * entries * math.log2(basis.n) / 2),
        key_s / (2 * gadget.digits * entries),
        product_s / (2 * entries),
    )


def _cpu() -> str:
    """The processor's name where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _load(path: Path) -> dict[str, dict[str, dict[str, float]]]:
    """What is known; nothing if there is no file, or none that can be read."""
    try:
        content = json.loads(path.read_text())
        for rings in content.values():
            Costs({int(log_n): Rates(**rates) for log_n, rates in rings.items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return dict(content)


def _store(path: Path, known: dict[str, dict[str, dict[str, float]]]) -> None:
    """Whole or not at all; a home that cannot be written to only means to measure again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(known))
        part.replace(path)
    except OSError:
        return


def _least(call: Callable[[], object], rounds: int = 5) -> float:
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
