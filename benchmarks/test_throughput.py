"""Thousands of encrypted images at once: TenSEAL's tutorial network in the throughput layout.

Off by default; `make bench` runs it. Beside the time of a batch on all cores stand images a second, what
travels, the peak memory of a server process, the error against the network in the clear, and TenSEAL's time
for one image with the same weights, measured in the same run (its layout holds one image; it has no other).
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import he
from he.model.graph import INPUT, Graph, Layer, Node
from he.model.layers import Conv, Dense, Reindex
from he.model.nonlinear import Square

SHARED = Path(__file__).parents[2] / "shared"
WEIGHTS, IMAGES = SHARED / "weights" / "convmnist_square.npz", SHARED / "data" / "mnist.npz"
MEAN, DEVIATION = 0.1307, 0.3081  # of MNIST's pixels, as the network was trained

pytestmark = pytest.mark.skipif(
    not (WEIGHTS.exists() and IMAGES.exists()), reason="needs ../shared: weights and MNIST"
)


def network() -> Graph:
    """conv 4x7x7 stride 3, square, 256 -> 64, square, 64 -> 10."""
    w = np.load(WEIGHTS)
    layers: list[Layer] = [
        Conv(w["conv1_weight"].reshape(4, 1, 7, 7), w["conv1_bias"], stride=(3, 3)),
        Square(),
        Reindex.reshape((4, 8, 8), (256,)),
        Dense(w["fc1_weight"].T, w["fc1_bias"]),
        Square(),
        Dense(w["fc2_weight"].T, w["fc2_bias"]),
    ]
    names = ["conv1", "square1", "flatten", "fc1", "square2", "fc2"]
    nodes = zip(names, layers, range(INPUT, len(layers) - 1), strict=True)
    return Graph((1, 28, 28), tuple(Node(name, layer, (source,)) for name, layer, source in nodes))


def images() -> NDArray[np.float64]:
    """MNIST's test images (10000, 1, 28, 28), normalised."""
    x = np.load(IMAGES)["x_test"].reshape(-1, 1, 28, 28)
    return np.asarray((x / 255 - MEAN) / DEVIATION)


SERVER = """
import re, sys
from pathlib import Path
import he

model, keys, request = (Path(name) for name in sys.argv[1:])
server = he.Server(he.Model.load(model), keys.read_bytes())
server.predict(request.read_bytes())
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10)
"""


def peak_bytes(model: he.Model, keys: bytes, request: bytes, folder: Path) -> int:
    """The most memory that a server process takes for one batch, model, keys and request included."""
    model.save(folder / "model")
    (folder / "keys").write_bytes(keys)
    (folder / "request").write_bytes(request)
    command = [sys.executable, "-c", SERVER, *(str(folder / name) for name in ("model", "keys", "request"))]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def tenseal_s(x: NDArray[np.float64]) -> float:
    """TenSEAL's server time for one image (28, 28), as in its tutorial 4, on all cores."""
    ts = pytest.importorskip("tenseal")
    w = np.load(WEIGHTS)
    context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[31, *[26] * 6, 31])
    context.global_scale = 2**26
    context.generate_galois_keys()
    image, windows = ts.im2col_encoding(context, x.tolist(), 7, 7, 3)
    kernels = w["conv1_weight"].reshape(4, 7, 7).tolist()
    start = time.perf_counter()
    channels = [
        image.conv2d_im2col(k, windows) + float(b) for k, b in zip(kernels, w["conv1_bias"], strict=True)
    ]
    hidden = ts.CKKSVector.pack_vectors(channels)
    hidden.square_()
    hidden = hidden.mm(w["fc1_weight"].tolist()) + w["fc1_bias"].tolist()
    hidden.square_()
    scores = hidden.mm(w["fc2_weight"].tolist()) + w["fc2_bias"].tolist()
    elapsed = time.perf_counter() - start
    exact = network()(x[None, None])[0]
    assert np.argmax(scores.decrypt()) == np.argmax(exact)
    return elapsed


def test_a_batch_of_images(benchmark: Any, tmp_path: Path) -> None:
    x = images()
    model = he.compile(network(), samples=x[-64:], optimise="throughput")
    client = he.Client(model.plan)
    keys = client.evaluation_keys()
    server = he.Server(model, keys)
    batch = x[: model.plan.samples]
    start = time.perf_counter()
    request = client.encrypt(batch)
    encrypt_s = time.perf_counter() - start
    response = benchmark.pedantic(lambda: server.predict(request), rounds=3, warmup_rounds=1)
    scores, exact = client.decrypt(response), network()(batch)
    bound = model.predicted_error(batch)
    assert np.abs(scores - model.predict_clear(batch)).max() < bound
    first, second = np.sort(exact, axis=1)[:, :-3:-1].T
    certain = first - second > 2 * bound  # of the others the noise may decide: their two scores are that near
    np.testing.assert_array_equal(scores.argmax(axis=1)[certain], exact.argmax(axis=1)[certain])
    assert certain.mean() > 0.95
    benchmark.extra_info.update(
        plan=str(model.plan.params),
        images=len(batch),
        same_label=int((scores.argmax(axis=1) == exact.argmax(axis=1)).sum()),
        predicted_error=bound,
        client_encrypt_s=round(encrypt_s, 2),
        largest_error=float(np.abs(scores - exact).max()),
        keys_bytes=len(keys),
        request_bytes=len(request),
        response_bytes=len(response),
    )
    if benchmark.stats is not None:  # benchmarks are enabled
        batch_s, peer_s = benchmark.stats.stats.median, tenseal_s(x[0, 0])
        benchmark.extra_info.update(
            images_per_s=round(len(batch) / batch_s),
            server_peak_bytes=peak_bytes(model, keys, request, tmp_path),
            tenseal_s_per_image=round(peer_s, 2),
            ratio=round(peer_s * len(batch) / batch_s),
        )
        print(f"\n{model.plan}\nbatch of {len(batch)} in {batch_s:.2f} s: {benchmark.extra_info}")
