"""Trained networks on encrypted images, beside TenSEAL in the same run and the figures of Orion's examples.

Off by default; `make bench` runs it. One thread for us and for TenSEAL, keys and weights made ready outside
the timed call, which is all that the server does with a request. TenSEAL's tutorial network runs in turns
with ours. ORION_MS was measured with Orion 1.0.2 on one thread of such a machine, not in the same run.
Networks are trained on first use (`benchmarks/networks.py`). MODELS.md has the table.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import he
from benchmarks.test_throughput import IMAGES, WEIGHTS, network
from benchmarks.test_throughput import images as tutorial_images
from he.engines.native import NativeEngine

pytest.importorskip("torch")
from benchmarks import networks

pytestmark = [
    pytest.mark.skipif(
        not (WEIGHTS.exists() and IMAGES.exists()), reason="needs ../shared: weights and MNIST"
    ),
    pytest.mark.timeout(1800),
]

ORION_MS = {"mlp": 319.0, "lola": 208.0, "lenet": 3463.0}
ORION_COMPILE_S = {"mlp": 3.5, "lola": 2.4, "lenet": 47.0}
ONE_THREAD = NativeEngine(threads=1)
SAMPLES = 256


class Parties:
    """A model, its client and its server on one thread; seconds that each took to make."""

    def __init__(self, net: object, samples: NDArray[np.float64], **options: Any) -> None:
        self.compile_s, self.model = timed(lambda: he.compile(net, samples=samples, **options))
        self.keys_s, self.client = timed(lambda: he.Client(self.model.plan, engine=ONE_THREAD))
        self.keys = self.client.evaluation_keys()
        self.load_s, self.server = timed(lambda: he.Server(self.model, self.keys, engine=ONE_THREAD))

    def scores(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Encrypted scores (count, outputs) of images (count, channels, rows, columns), one by one."""
        parts = [self.client.decrypt(self.server.predict(self.client.encrypt(one[None]))) for one in x]
        return np.concatenate(parts)

    def measure(
        self,
        benchmark: Any,
        x: NDArray[np.float64],
        setup: Callable[[], None] | None = None,
        rounds: int = 7,
    ) -> float:
        """Time one image (1, channels, rows, columns) and note what travels; the median in ms, 0 if off."""
        request = self.client.encrypt(x)
        response = benchmark.pedantic(
            lambda: self.server.predict(request), setup=setup, rounds=rounds, warmup_rounds=1
        )
        benchmark.extra_info.update(
            plan=str(self.model.plan.params),
            compile_s=round(self.compile_s, 2),
            server_setup_s=round(self.load_s, 2),
            keys_bytes=len(self.keys),
            request_bytes=len(request),
            response_bytes=len(response),
        )
        if isinstance(self.model.plan, he.Plan):  # batches are not estimated
            benchmark.extra_info["estimated_ms"] = round(self.model.plan.total_ms, 1)
        if benchmark.stats is None:  # benchmarks are off
            return 0.0
        print(f"\n{self.model.plan}")
        return 1e3 * float(benchmark.stats.stats.median)


def timed(make: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    made = make()
    return time.perf_counter() - start, made


def clear_scores(net: Any, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The torch network's own scores in float64 (count, outputs)."""
    import torch

    with torch.no_grad():
        return np.asarray(net.double()(torch.from_numpy(x)).numpy())


class Tutorial:
    """TenSEAL's tutorial 4 on one thread, its keys and one encrypted image (28, 28) ready."""

    def __init__(self, image: NDArray[np.float64]) -> None:
        ts = pytest.importorskip("tenseal")
        w = np.load(WEIGHTS)
        bits = [31, *[26] * 6, 31]
        context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=bits, n_threads=1)
        context.global_scale = 2**26
        context.generate_galois_keys()
        self._ts, self._kernels = ts, w["conv1_weight"].reshape(4, 7, 7).tolist()
        self._biases, self._layers = (
            w["conv1_bias"].tolist(),
            [(w[f"{name}_weight"].tolist(), w[f"{name}_bias"].tolist()) for name in ("fc1", "fc2")],
        )
        self._image, self._windows = ts.im2col_encoding(context, image.tolist(), 7, 7, 3)
        self.context_bytes = len(context.serialize(save_secret_key=False))
        self.input_bytes = len(self._image.serialize())

    def __call__(self) -> Any:
        """The encrypted scores."""
        channels = [
            self._image.conv2d_im2col(k, self._windows) + b
            for k, b in zip(self._kernels, self._biases, strict=True)
        ]
        x = self._ts.CKKSVector.pack_vectors(channels)
        for weights, bias in self._layers:
            x.square_()
            x = x.mm(weights) + bias
        return x


def test_tutorial_network_beside_tenseal(benchmark: Any) -> None:
    """In turns; 100 encrypted images get the class that the network in the clear gives them."""
    net, x = network(), tutorial_images()
    parties, peer, peer_s = Parties(net, x[-SAMPLES:], precision=0), Tutorial(x[0, 0]), list[float]()
    exact = net(x[:100])
    assert (
        np.argmax(peer().decrypt()) == exact[0].argmax()
    )  # its scores are 5 % off: it takes scales as equal
    ms = parties.measure(benchmark, x[:1], lambda: peer_s.append(timed(peer)[0]))
    scores = parties.scores(x[:100])
    np.testing.assert_array_equal(scores.argmax(axis=1), exact.argmax(axis=1))
    benchmark.extra_info.update(
        largest_error=float(np.abs(scores - exact).max()),
        tenseal_public_context_bytes=peer.context_bytes,
        tenseal_input_bytes=peer.input_bytes,
    )
    assert len(parties.keys) <= 45e6
    assert benchmark.extra_info["request_bytes"] <= 150e3
    if ms:
        peer_ms = 1e3 * statistics.median(peer_s)
        benchmark.extra_info.update(tenseal_ms=round(peer_ms, 1), ratio=round(peer_ms / ms, 1))
        print(benchmark.extra_info)


@pytest.mark.parametrize("name", ORION_MS)
def test_networks_of_orion(benchmark: Any, name: str) -> None:
    """Squares on MNIST, one image: ten encrypted ones get the class of the network in the clear."""
    x, net = networks.images(networks.MNIST, "test")[0], networks.trained(name)
    parties = Parties(net, x[-SAMPLES:])
    ms = parties.measure(benchmark, x[:1])
    check(benchmark, parties, net, x[:10])
    benchmark.extra_info.update(orion_ms=ORION_MS[name], orion_compile_s=ORION_COMPILE_S[name])
    if ms:
        benchmark.extra_info["ratio"] = round(ORION_MS[name] / ms, 1)
        print(benchmark.extra_info)


def test_colour_images(benchmark: Any) -> None:
    """CIFAR-10: three channels, two convolutions, a residual; ten encrypted images agree with the clear."""
    x, net = networks.images(networks.CIFAR, "test")[0], networks.trained("cifar")
    parties = Parties(net, x[-SAMPLES:])
    parties.measure(benchmark, x[:1])
    check(benchmark, parties, net, x[:10])
    print(benchmark.extra_info)


def test_lenet5_with_relu(benchmark: Any) -> None:
    """Polynomials in place of ReLU: at least 99 % of the whole test set right under the noise model, and
    twenty encrypted images agree with the same polynomials in the clear.
    """
    x = networks.images(networks.MNIST, "train")[0][:SAMPLES]
    parties = Parties(networks.lenet5(), x)
    test, labels = networks.images(networks.MNIST, "test")
    accuracy = parties.model.evaluate(test, labels)
    assert accuracy >= 0.99
    benchmark.extra_info.update(accuracy=float(accuracy), outside=[str(o) for o in accuracy.outside])
    parties.measure(benchmark, test[:1], rounds=3)
    scores, expected = parties.scores(test[:20]), parties.model.predict_clear(test[:20])
    assert np.abs(scores - expected).max() < parties.model.predicted_error(test[:20])
    np.testing.assert_array_equal(scores.argmax(axis=1), expected.argmax(axis=1))
    print(benchmark.extra_info)


def check(benchmark: Any, parties: Parties, net: Any, x: NDArray[np.float64]) -> None:
    """The classes of encrypted images are those of the network in the clear."""
    scores, exact = parties.scores(x), clear_scores(net, x)
    np.testing.assert_array_equal(scores.argmax(axis=1), exact.argmax(axis=1))
    benchmark.extra_info.update(
        images=len(x),
        largest_score=float(np.abs(exact).max()),
        largest_error=float(np.abs(scores - exact).max()),
    )
