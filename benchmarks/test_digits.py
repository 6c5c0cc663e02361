"""A small network on scikit-learn's digits, encrypted: as `models`, in seconds and without MNIST."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.networks import Square
from benchmarks.test_models import Parties, check


def trained(hidden: int) -> tuple[nn.Module, np.ndarray[Any, Any]]:
    """64-hidden-10 with a square, trained for 200 steps on all but the images (n, 64) that are returned."""
    datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = datasets.load_digits(return_X_y=True)
    x, y = torch.from_numpy(pixels / 16).float(), torch.from_numpy(labels)
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(64, hidden), Square(), nn.Linear(hidden, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two wait for each other where other tests run beside
    for _ in range(200):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x[300:]), y[300:]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    torch.set_num_threads(threads)
    return net.eval(), pixels[:300] / 16


@pytest.mark.sizes("hidden", tiny=[16], small=[16, 64, 256])
def test_network_on_digits(benchmark: Any, hidden: int) -> None:
    """One image; ten encrypted ones get the class of the network in the clear."""
    net, x = trained(hidden)
    parties = Parties(net, x[:256])
    parties.measure(benchmark, x[:1])
    check(benchmark, parties, net, x[:10])
    benchmark.extra_info["scales_with"] = {"hidden": hidden}


@pytest.mark.sizes("hidden", tiny=[16], small=[16, 64, 256])
def test_batch_of_digits(benchmark: Any, hidden: int) -> None:
    """As many images as there are slots, side by side; scores within the bound of the clear ones."""
    net, x = trained(hidden)
    parties = Parties(net, x[:256], optimise="throughput")
    batch = x[np.arange(parties.model.plan.samples) % len(x)]
    parties.measure(benchmark, batch, rounds=3)
    scores = parties.client.decrypt(parties.server.predict(parties.client.encrypt(batch)))
    assert np.abs(scores - parties.model.predict_clear(batch)).max() < parties.model.predicted_error(batch)
    benchmark.extra_info.update(images=len(batch), scales_with={"hidden": hidden})
