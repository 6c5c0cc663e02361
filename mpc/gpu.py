"""Convolve 64-bit integers exactly by floating point, in as few blocks of bits as the sums allow.

Graphics processors convolve no 64-bit integers. CrypTen cuts them into blocks whose products are summed in
double precision, exactly as long as no sum exceeds 2^53; but it counts a kernel's places only and not the
channels, so that the sums of any deep layer overflow and its results are wrong.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import torch

WORD_BITS = 64
# Doubles hold every integer up to 2^53.
EXACT_BITS = 53
_CONVOLUTIONS = ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")


def replace_convolutions(crypten: Any) -> None:
    """Put exact ones in CrypTen's table of torch functions for its integer tensors on a GPU."""
    tensor, table = crypten.cuda.CUDALongTensor, crypten.cuda.cuda_tensor.HANDLED_FUNCTIONS
    for name in _CONVOLUTIONS:
        function = _on_gpu(tensor, name)
        setattr(tensor, name, staticmethod(function))
        table[getattr(torch, name)] = function


def _on_gpu(tensor: Any, name: str) -> Callable[..., Any]:
    def apply(input: Any, weight: Any, *args: Any, **options: Any) -> Any:
        clear = [value.tensor() if isinstance(value, tensor) else value for value in (input, weight)]
        return tensor(convolve(name, *clear, *args, **options))

    return apply


def convolve(name: str, x: torch.Tensor, weight: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
    """torch's convolution `name` of int64 tensors, exact modulo 2^64, on the device where they are.

    Arguments and shapes are those of `torch.conv1d`, `conv2d`, `conv_transpose1d` and `conv_transpose2d`,
    groups included; a bias is an int64 tensor and added as it is. Raises TypeError for other types.
    """
    if x.dtype != torch.int64 or weight.dtype != torch.int64:
        raise TypeError(f"int64 tensors were expected, got {x.dtype} and {weight.dtype}")
    bias, args = (args[0], (None, *args[1:])) if args else (options.pop("bias", None), ())
    blocks = blocks_for(terms(name, x, weight, options.get("groups", args[-1] if len(args) == 5 else 1)))
    bits = math.ceil(WORD_BITS / blocks)
    left, right = _cut(x, blocks, bits), _cut(weight, blocks, bits)
    total: torch.Tensor | int = 0
    with _plain_sums(x):
        for i in range(blocks):
            for j in range(blocks):
                if (i + j) * bits < WORD_BITS:
                    part = getattr(torch, name)(left[i], right[j], *args, **options)
                    total = total + (part.long() << (i + j) * bits)
    assert isinstance(total, torch.Tensor)
    return total if bias is None else total + bias.reshape(-1, *[1] * (x.dim() - 2))


def terms(name: str, x: torch.Tensor, weight: torch.Tensor, groups: int = 1) -> int:
    """How many products are summed at most in one entry of the result."""
    places = math.prod(weight.shape[2:])
    return places * (x.size(1) // groups if name.startswith("conv_transpose") else weight.size(1))


def blocks_for(count: int) -> int:
    """The fewest blocks of a word with which `count` products add up to 2^53 at most."""
    for blocks in range(3, WORD_BITS + 1):
        if count * (2 ** math.ceil(WORD_BITS / blocks) - 1) ** 2 <= 2**EXACT_BITS:
            return blocks
    raise ValueError(f"{count} products cannot be summed exactly in double precision")


def _cut(words: torch.Tensor, blocks: int, bits: int) -> list[torch.Tensor]:
    """The words' blocks as doubles in [0, 2^bits), lowest first."""
    return [((words >> bits * index) & (2**bits - 1)).double() for index in range(blocks)]


def _plain_sums(x: torch.Tensor) -> contextlib.AbstractContextManager[None]:
    """On a GPU cuDNN may choose Fourier or Winograd transforms, which round; without it sums stay sums."""
    return torch.backends.cudnn.flags(enabled=False) if x.is_cuda else contextlib.nullcontext()
