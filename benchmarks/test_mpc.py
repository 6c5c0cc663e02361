"""Steps of secure computations between local parties, checked, with rounds and bytes beside the time.

Off by default; `make bench` runs them. Bytes are those that one party sends; what the dealer costs stands
beside them. Times include everything: openings, dealing and encryption of the channels on this machine.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import mpc
from benchmarks.crypten_steps import Step, clear_steps, secure_steps
from benchmarks.parties import Stage, run_parties
from benchmarks.plain_crypten import run_plain
from benchmarks.turns import ratio
from mpc.protocols.product import layer
from mpc.randomness import Stream

UNIT = 2.0**-16
# Steps before the dealer foresees every request of the next one.
WARM_STEPS = 4
# What CrypTen's approximations of sigmoid and softmax may move a weight by in these few steps.
DRIFT = 0.05
STEP = mpc.LogisticRegression(steps=1, learning_rate=0.5)


def batch(rows: int, features: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, features)), (rng.random((rows, 1)) < 0.5).astype(float)


def answer(party: mpc.Party, work: Callable[[], Any]) -> tuple[mpc.Cost, np.ndarray[Any, Any]]:
    """The cost of the work alone, and its result opened."""
    before = party.cost()
    result = work()
    spent = party.cost() - before
    return spent, np.asarray(party.reveal(result), dtype=np.float64)


def training_step(rows: int, features: int) -> Callable[[mpc.Party], Callable[[], Any]]:
    def prepare(party: mpc.Party) -> Callable[[], Any]:
        x, y = batch(rows, features)
        shared_x = party.secret(x if party.rank == 0 else None, owner=0, size=x.shape)
        shared_y = party.secret(y if party.rank == 0 else None, owner=0, size=y.shape)
        return lambda: answer(party, lambda: STEP.fit(shared_x, shared_y).coef_)

    return prepare


def comparison(count: int) -> Callable[[mpc.Party], Callable[[], Any]]:
    def prepare(party: mpc.Party) -> Callable[[], Any]:
        values = np.random.default_rng(0).normal(size=count)
        x = party.secret(values if party.rank == 0 else None, owner=0, size=(count,))
        return lambda: answer(party, x.relu)

    return prepare


def timed(
    benchmark: Any,
    prepare: Any,
    parties: int,
    expected: np.ndarray[Any, Any],
    bound: float,
    comparison: str = "tree",
) -> None:
    with Stage(prepare, parties, partial(run_parties, comparison=comparison)) as stage:
        benchmark.pedantic(stage, rounds=10, warmup_rounds=1)
        for _, result in stage():
            assert np.abs(result - expected).max() <= bound
        first = stage()[0][0]
    benchmark.extra_info.update(
        rounds=first.rounds,
        bytes_sent=first.bytes_sent,
        dealer_rounds=first.dealer_rounds,
        dealer_bytes=first.dealer_bytes_sent + first.dealer_bytes_received,
    )


@pytest.mark.sizes(
    ("parties", "rows", "features"),
    tiny=[(2, 8, 4)],
    small=[(2, 16, 30), (2, 64, 30), (2, 400, 30), (3, 64, 30), (3, 400, 30)],
)
def test_logistic_regression_step(benchmark: Any, parties: int, rows: int, features: int) -> None:
    x, y = (torch.from_numpy(part) for part in batch(rows, features))
    expected = STEP.fit(x, y).coef_.numpy()
    # A weight is half the mean over rows of x times the sigmoid's error, at most 2^-8: below 2^-9.
    timed(benchmark, training_step(rows, features), parties, expected, bound=2.0**-9)
    benchmark.extra_info["scales_with"] = {"rows": rows, "parties": parties}


@pytest.mark.sizes("name", tiny=["LR"], small=["LR", "MLP", "CNN"])
def test_training_step_beside_plain_crypten(benchmark: Any, name: str) -> None:
    """The same program, in turns with plain CrypTen and its INSECURE dealer, two parties each."""
    steps: dict[str, list[Step]] = {"own": [], "plain": []}
    with Stage(secure_steps(name), 2) as own, Stage(secure_steps(name), 2, run_plain) as plain:

        def turn() -> None:
            steps["plain"].append(plain()[0])
            steps["own"].append(own()[0])

        benchmark.pedantic(turn, rounds=20, warmup_rounds=WARM_STEPS)
    for right, *taken in zip(clear_steps(name), steps["own"], steps["plain"], strict=False):
        for weights in (step.weights for step in taken):
            for exact, weight in zip(right, weights, strict=True):
                assert (exact - weight).abs().max() < DRIFT
    medians = {}
    for engine, label in (("own", "own"), ("plain", "plain_insecure_dealer")):
        measured = steps[engine][WARM_STEPS:] or steps[engine]
        medians[engine] = statistics.median(step.seconds_s for step in measured)
        last = measured[-1]
        benchmark.extra_info |= {
            f"{label}_ms": round(medians[engine] * 1e3, 2),
            f"{label}_rounds": last.rounds,
            f"{label}_bytes": last.octets,
        }
    benchmark.extra_info["own_dealer_bytes"] = steps["own"][-1].dealer_bytes
    benchmark.extra_info["own_time_to_plain"] = round(medians["own"] / medians["plain"], 2)


@pytest.mark.sizes(
    ("count", "method"),
    tiny=[(16, "tree")],
    small=[(count, method) for count in (16, 1024, 16384) for method in ("tree", "dcf")],
)
def test_relu(benchmark: Any, count: int, method: str) -> None:
    """Four rounds and 12.25 bytes an entry, or one round and 8, with 2 kB an entry from the dealer."""
    expected = np.maximum(np.random.default_rng(0).normal(size=count), 0)
    timed(benchmark, comparison(count), 2, expected, bound=2 * UNIT, comparison=method)
    benchmark.extra_info["scales_with"] = {"batch": count, "method": method}


@pytest.mark.sizes("words", tiny=[1 << 14], small=[1 << 14, 1 << 20, 1 << 24])
def test_randomness(benchmark: Any, words: int) -> None:
    """Cryptographic words on one core beside torch's Mersenne Twister, which CrypTen draws its masks from."""
    stream = Stream.fresh()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    drawn = benchmark.pedantic(stream.words, args=((words,),), rounds=20, warmup_rounds=2)
    twister_s = min(timeit.repeat(lambda: torch.randint(-(2**63), 2**63 - 1, (words,)), number=1, repeat=20))
    torch.set_num_threads(threads)
    assert len({int(word) for word in drawn[:1000]}) == 1000
    if benchmark.stats:
        own_s = benchmark.stats.stats.min
        benchmark.extra_info.update(
            million_words_per_s=round(words / own_s / 1e6, 1),
            twister_million_words_per_s=round(words / twister_s / 1e6, 1),
            speed_to_twister=round(twister_s / own_s, 2),
        )


# Both factors: cubes, and the layers of an MLP and of LeNet with 128 samples.
LAYERS = {
    "cube 64": ((64, 64), (64, 64)),
    "cube 256": ((256, 256), (256, 256)),
    "cube 512": ((512, 512), (512, 512)),
    "cube 1024": ((1024, 1024), (1024, 1024)),
    "MLP 784-128": ((128, 784), (784, 128)),
    "MLP 128-128": ((128, 128), (128, 128)),
    "MLP 128-10": ((128, 128), (128, 10)),
    "LeNet conv 1-20": ((128, 1, 28, 28), (20, 1, 5, 5)),
    "LeNet conv 20-50": ((128, 20, 12, 12), (50, 20, 5, 5)),
    "LeNet 800-500": ((128, 800), (800, 500)),
    "LeNet 500-10": ((128, 500), (500, 10)),
}


@pytest.mark.sizes(
    ("name", "way", "threads"),
    tiny=[("cube 64", "forward", 1)],
    small=[
        (name, way, threads)
        for name in LAYERS
        if name != "cube 64"
        for way in (("forward",) if name.startswith("cube") else ("forward", "left", "right"))
        for threads in (1, 2)
    ],
)
def test_ring_product(benchmark: Any, name: str, way: str, threads: int) -> None:
    """A layer's product modulo 2^64, or that of a gradient, beside torch's in turns."""
    x, y = (Stream(bytes([place]) * 32).words(size) for place, size in enumerate(LAYERS[name]))
    op = "matmul" if x.dim() == 2 else "conv2d"
    own, torchs = (layer(op, tuple(x.shape), tuple(y.shape), {}, path) for path in (None, "torch"))
    value = torchs.forward(x, y)
    factors = {"forward": (x, y), "left": (value, y), "right": (x, value)}[way]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        product = benchmark.pedantic(getattr(own, way), args=factors, rounds=20, warmup_rounds=2)
        expected = getattr(torchs, way)(*factors)
        assert torch.equal(product, expected)
        if benchmark.stats:
            ours, bare = (partial(getattr(one, way), *factors) for one in (own, torchs))
            benchmark.extra_info["speed_to_torch"] = round(1 / ratio(ours, bare, rounds=15), 2)
    finally:
        torch.set_num_threads(before)
