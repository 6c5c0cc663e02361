"""Exact integer convolutions by blocks: worst-case words and deep layers, against int64 arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mpc.gpu import EXACT_BITS, blocks_for, convolve, terms
from mpc.randomness import Stream

ALL_ONES = -1
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def on(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    return device


def words(*size: int, seed: int) -> torch.Tensor:
    return Stream(bytes([seed]) * 32).words(size)


CASES: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("conv1d", (2, 3, 9), (4, 3, 3), {"padding": 1}),
    ("conv1d", (1, 600, 5), (2, 600, 3), {}),
    ("conv2d", (2, 3, 8, 7), (4, 3, 3, 3), {"stride": 2, "padding": 1}),
    ("conv2d", (1, 256, 4, 4), (2, 256, 3, 3), {"padding": 1}),
    ("conv2d", (1, 512, 4, 4), (2, 512, 3, 3), {"dilation": 1}),
    ("conv2d", (1, 2048, 2, 2), (3, 2048, 1, 1), {}),
    ("conv2d", (2, 6, 5, 5), (4, 3, 3, 3), {"groups": 2}),
    ("conv_transpose1d", (2, 4, 6), (4, 3, 3), {"stride": 2}),
    ("conv_transpose2d", (1, 300, 4, 4), (300, 2, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("name", "input_size", "weight_size", "options"), CASES)
def test_exact_for_random_and_worst_words(
    name: str, input_size: tuple[int, ...], weight_size: tuple[int, ...], options: Any, device: str
) -> None:
    """torch's int64 convolutions on the CPU wrap around: they are the definition."""
    device = on(device)
    for x, weight in [
        (words(*input_size, seed=1), words(*weight_size, seed=2)),
        (torch.full(input_size, ALL_ONES), torch.full(weight_size, ALL_ONES)),
        (torch.full(input_size, 2**63 - 1), torch.full(weight_size, -(2**63))),
    ]:
        expected = getattr(torch, name)(x, weight, **options)
        result = convolve(name, x.to(device), weight.to(device), **options)
        assert torch.equal(result.cpu(), expected)


@pytest.mark.parametrize("count", [1, 27, 255, 256, 512, 513, 2304, 4608, 2**21, 2**21 + 2**7, 2**26])
def test_no_sum_exceeds_what_doubles_hold(count: int) -> None:
    """The worst blocks are all ones; one block fewer would not hold them, or there are three already."""

    def largest(blocks: int) -> int:
        return count * (2 ** -(-64 // blocks) - 1) ** 2

    blocks = blocks_for(count)
    assert largest(blocks) <= 2**EXACT_BITS
    assert blocks == 3 or largest(blocks - 1) > 2**EXACT_BITS


@pytest.mark.parametrize(("channels", "kernel"), [(256, 3), (512, 3), (2048, 1)])
def test_cryptens_count_overflows(channels: int, kernel: int) -> None:
    """CrypTen takes three blocks of 22 bits up to 255 kernel places: such sums round beyond 2^53."""
    products = torch.full((channels * kernel**2 - 1,), float((2**22 - 1) ** 2), dtype=torch.double)
    exact = len(products) * (2**22 - 1) ** 2
    assert exact > 2**EXACT_BITS
    assert blocks_for(channels * kernel**2) > 3
    assert kernel**2 < 256
    assert any(int(products[:n].sum()) != n * (2**22 - 1) ** 2 for n in range(513, len(products)))


def test_terms_of_each_kind() -> None:
    assert terms("conv2d", torch.empty(1, 6, 5, 5), torch.empty(4, 3, 3, 2), groups=2) == 18
    assert terms("conv_transpose2d", torch.empty(1, 6, 5, 5), torch.empty(6, 4, 3, 2)) == 36


def test_bias_is_added() -> None:
    x, weight, bias = words(1, 2, 5, seed=3), words(3, 2, 3, seed=4), words(3, seed=5)
    assert torch.equal(convolve("conv1d", x, weight, bias), torch.conv1d(x, weight, bias))
    assert torch.equal(convolve("conv1d", x, weight, bias=bias), torch.conv1d(x, weight, bias))


def test_other_types_and_too_many_terms_are_refused() -> None:
    with pytest.raises(TypeError, match=r"torch.float32 and torch.int64"):
        convolve("conv1d", torch.ones(1, 1, 3), torch.ones(1, 1, 3, dtype=torch.long))
    with pytest.raises(ValueError, match="cannot be summed"):
        blocks_for(2**53 + 1)


def test_cryptens_table_uses_it() -> None:
    """Stand-ins on the CPU take the place of CrypTen's tensors, which exist on a GPU only."""
    from mpc import engine

    class OnCpu:
        def __init__(self, data: torch.Tensor) -> None:
            self.data = data

        def tensor(self) -> torch.Tensor:
            return self.data

    engine.prepare()
    table = engine.crypten.cuda.cuda_tensor.HANDLED_FUNCTIONS
    for name in ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"):
        assert table[getattr(torch, name)].__module__ == "mpc.gpu"
    from mpc.gpu import _on_gpu

    x, weight = words(1, 256, 4, 4, seed=6), words(2, 256, 3, 3, seed=7)
    assert torch.equal(_on_gpu(OnCpu, "conv2d")(OnCpu(x), OnCpu(weight)).data, torch.conv2d(x, weight))


@pytest.mark.gpu
def test_cryptens_tensors_on_a_gpu() -> None:
    from mpc import engine

    on("cuda")
    engine.prepare()
    x, weight = words(1, 256, 4, 4, seed=6), words(2, 256, 3, 3, seed=7)
    tensors = [engine.crypten.cuda.CUDALongTensor(value.cuda()) for value in (x, weight)]
    assert torch.equal(torch.conv2d(*tensors).tensor().cpu(), torch.conv2d(x, weight))
