"""Products modulo 2^64: every compiled path is torch's bit for bit, and the integers' on small ones."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import kernels
from mpc.kernels import dispatch
from mpc.randomness import Stream

COMPILED = list(kernels.paths()[1:]) or [
    pytest.param("", marks=pytest.mark.skip(reason="no compiled kernels"))
]
# Of one word, of panels that are full and not, of several blocks of terms, and of more rows than a band has.
SIZES = [
    (1, 1, 1),
    (2, 3, 1),
    (10, 2, 16),
    (11, 5, 17),
    (70, 69, 37),
    (9, 257, 65),
    (331, 70, 8),
    (33, 520, 130),
]
TOP = -(2**63)


@pytest.fixture(params=COMPILED)
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def words(*size: int, seed: int = 1) -> torch.Tensor:
    return Stream(bytes([seed]) * 32).words(size)


def worst(*size: int) -> Iterator[torch.Tensor]:
    """Random words, and those whose products overflow most."""
    yield words(*size)
    for value in (-1, TOP, 2**63 - 1, 2**32 - 1, -(2**32)):
        yield torch.full(size, value)
    flat = torch.arange(int(np.prod(size)))
    yield torch.where(flat % 2 == 0, TOP, -1).reshape(size)
    yield torch.where(flat % 2 == 0, 0x5555555555555555, -0x5555555555555556).reshape(size)


def by_integers(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The definition, in Python's integers."""
    rows = [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in y.t().tolist()]
        for row in x.tolist()
    ]
    return torch.tensor([[(word + 2**63) % 2**64 - 2**63 for word in row] for row in rows])


@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 2), (11, 4, 9)], ids=str)
def test_words_that_overflow_are_the_integers_modulo_2_64(path: str, size: tuple[int, int, int]) -> None:
    m, k, n = size
    for x, y in itertools.product(worst(m, k), worst(k, n)):
        expected = by_integers(x, y)
        assert torch.equal(torch.matmul(x, y), expected)
        assert torch.equal(kernels.matmul(x, y, path), expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_matrices_are_torchs(path: str, size: tuple[int, int, int]) -> None:
    m, k, n = size
    for x, y in zip(worst(m, k), worst(k, n), strict=True):
        assert torch.equal(kernels.matmul(x, y, path), x @ y)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 70)] * 3),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(1, 3),
    st.sampled_from(kernels.paths()),
)
def test_any_size_and_layout(
    size: tuple[int, int, int], turned: tuple[bool, bool], step: int, path: str
) -> None:
    m, k, n = size
    x, y = words(step * m, step * k), words(step * k, n, seed=2)
    x, y = x[::step, ::step], y[::step]
    x = x.t().contiguous().t() if turned[0] else x
    y = y.t().contiguous().t() if turned[1] else y
    assert torch.equal(kernels.matmul(x, y, path), torch.matmul(x, y))


def test_large_ones_on_any_number_of_threads(path: str, threads: int) -> None:
    for m, k, n in [(400, 150, 110), (101, 150, 700)]:
        x, y = words(m, k), words(k, n, seed=2)
        assert torch.equal(kernels.matmul(x, y, path), x @ y), threads
        assert torch.equal(kernels.matmul(y.t(), x.t(), path), y.t() @ x.t()), threads


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((5,), (5,)),
        ((3, 5), (5,)),
        ((5,), (5, 4)),
        ((2, 3, 5), (5, 4)),
        ((2, 1, 3, 5), (6, 5, 4)),
        ((5,), (2, 5, 4)),
        ((2, 3, 5), (5,)),
        ((0, 4), (4, 3)),
        ((3, 0), (0, 4)),
        ((3, 4), (4, 0)),
        ((0, 3, 4), (0, 4, 2)),
    ],
    ids=str,
)
def test_vectors_batches_and_nothing(path: str, x: tuple[int, ...], y: tuple[int, ...]) -> None:
    one, other = words(*x), words(*y, seed=2)
    ours, torchs = kernels.matmul(one, other, path), torch.matmul(one, other)
    assert ours.shape == torchs.shape and torch.equal(ours, torchs)


def test_a_factor_may_repeat_its_words(path: str) -> None:
    x, y = words(1, 7).expand(12, 7), words(7, 1).expand(7, 20)
    assert torch.equal(kernels.matmul(x, y, path), x @ y)


SETTINGS = [
    {},
    {"stride": 2},
    {"padding": 2},
    {"dilation": 2},
    {"stride": (2, 3), "padding": (1, 0)},
    {"stride": 3, "padding": (0, 2), "dilation": (1, 2)},
]
MAPS = [((1, 1, 5, 5), (1, 1, 1, 1)), ((3, 4, 11, 12), (5, 4, 3, 2)), ((2, 3, 9, 20), (17, 3, 4, 5))]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
@pytest.mark.parametrize(("x", "y"), MAPS, ids=str)
def test_convolutions_and_both_gradients_are_torchs(
    path: str, x: tuple[int, ...], y: tuple[int, ...], options: dict[str, Any]
) -> None:
    pairs = [(words(*x), words(*y, seed=2)), (torch.full(x, -1), torch.full(y, TOP + 1))]
    for maps, weights in pairs:
        values = torch.conv2d(maps, weights, **options)
        assert torch.equal(kernels.conv2d(maps, weights, path, **options), values)
        gradient = words(*values.shape, seed=3)
        back = torch.conv_transpose2d(gradient, weights, **options)
        assert torch.equal(kernels.conv_transpose2d(gradient, weights, path, **options), back)
        by_torch = kernels.conv2d_weight(maps, gradient, (y[2], y[3]), "torch", **options)
        assert by_torch.shape == y
        assert torch.equal(kernels.conv2d_weight(maps, gradient, (y[2], y[3]), path, **options), by_torch)


def test_convolutions_on_any_number_of_threads(path: str, threads: int) -> None:
    maps, weights = words(16, 4, 20, 20), words(40, 4, 5, 5, seed=2)
    values = torch.conv2d(maps, weights)
    assert torch.equal(kernels.conv2d(maps, weights, path), values), threads
    back = torch.conv_transpose2d(values, weights)
    assert torch.equal(kernels.conv_transpose2d(values, weights, path), back), threads
    by_torch = kernels.conv2d_weight(maps, values, (5, 5), "torch")
    assert torch.equal(kernels.conv2d_weight(maps, values, (5, 5), path), by_torch), threads


def test_the_weights_gradient_is_the_derivative(path: str) -> None:
    """Of the sum of values times g, word by word: a product that is linear in the weights."""
    maps, gradient = words(2, 2, 5, 4), words(2, 3, 2, 3, seed=2)
    result = kernels.conv2d_weight(maps, gradient, (2, 2), path, stride=(2, 1), padding=(0, 0))
    for place in range(result.numel()):
        unit = torch.zeros(result.numel(), dtype=torch.int64)
        unit[place] = 1
        values = torch.conv2d(maps, unit.reshape(result.shape), stride=(2, 1))
        assert result.reshape(-1)[place] == (values * gradient).sum()


@pytest.mark.parametrize(
    ("name", "x", "y", "options"),
    [
        ("conv1d", (2, 3, 9), (4, 3, 2), {"stride": 2, "padding": (1,)}),
        ("conv1d", (2, 4, 9), (4, 2, 2), {"groups": 2}),
        ("conv_transpose1d", (2, 3, 5), (3, 4, 3), {"stride": 3, "output_padding": 1, "dilation": 2}),
        (
            "conv_transpose2d",
            (2, 3, 4, 5),
            (3, 2, 3, 3),
            {"stride": 2, "padding": 1, "output_padding": (1, 0)},
        ),
        ("conv_transpose2d", (2, 4, 4, 5), (4, 2, 3, 3), {"groups": 2}),
        ("conv2d", (3, 6, 7), (2, 3, 3, 3), {}),
        ("conv2d", (0, 3, 6, 7), (2, 3, 3, 3), {}),
        ("conv2d", (2, 3, 6, 7), (2, 3, 3, 3), {"padding": "same"}),
        ("mul", (3, 1), (3, 4), {}),
        ("matmul", (3, 2), (2, 4), {}),
    ],
    ids=str,
)
def test_products_by_name(name: str, x: tuple[int, ...], y: tuple[int, ...], options: dict[str, Any]) -> None:
    one, other = words(*x), words(*y, seed=2)
    expected = getattr(torch, name)(one, other, **options)
    assert torch.equal(kernels.named(name)(one, other, **options), expected)


@pytest.mark.parametrize(
    "product",
    [
        lambda path: kernels.matmul(words(3, 4), words(3, 4), path),
        lambda path: kernels.matmul(words(3, 4), torch.tensor(2), path),
        lambda path: kernels.conv2d(words(2, 3, 5, 5), words(4, 2, 3, 3), path),
        lambda path: kernels.conv2d(words(2, 3, 2, 2), words(4, 3, 3, 3), path),
        lambda path: kernels.conv2d(words(2, 3, 5, 5), words(4, 3, 3, 3), path, stride=0),
        lambda path: kernels.conv_transpose2d(words(2, 3, 5, 5), words(3, 4, 3, 3), path, output_padding=1),
        lambda path: kernels.conv_transpose2d(words(2, 3, 1, 1), words(3, 4, 1, 1), path, padding=1),
        lambda path: kernels.conv2d_weight(words(2, 3, 5, 5), words(3, 4, 3, 3), (3, 3), path),
    ],
)
def test_what_does_not_fit_is_torchs_error(path: str, product: Callable[[str], torch.Tensor]) -> None:
    with pytest.raises(RuntimeError) as torchs:
        product("torch")
    with pytest.raises(RuntimeError) as ours:
        product(path)
    assert str(ours.value) == str(torchs.value)


def test_other_types_are_torchs() -> None:
    x, y = torch.rand(4, 5, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64)
    assert torch.equal(kernels.matmul(x, y), x @ y)
    meta = torch.empty(2, 3, 6, 6, device="meta")
    assert kernels.conv2d(meta, torch.empty(4, 3, 3, 3, device="meta")).shape == (2, 4, 4, 4)


def test_a_wrong_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"'cuda' is not among those of this machine: torch, "):
        kernels.matmul(words(2, 2), words(2, 2), "cuda")
    with pytest.raises(ValueError, match=r"is for int64 on the CPU, got torch.float32 on cpu and"):
        kernels.matmul(torch.rand(2, 2), torch.rand(2, 2), path)


def test_places_outside_are_refused_by_the_compiled_module(path: str) -> None:
    zero, two = np.zeros(1, dtype=np.int64), np.array([2])
    inside = dispatch.Matrix(np.zeros(2, dtype=np.int64), zero, zero)
    for outside in (
        inside._replace(rows=two),
        inside._replace(columns=-two),
        inside._replace(columns=two - 2**62),
    ):
        for place in range(3):
            given = [outside if place == index else inside for index in range(3)]
            with pytest.raises(ValueError, match="size mismatch"):
                dispatch.multiply(path, *given)
    with pytest.raises(ValueError, match="size mismatch: places"):
        dispatch.multiply(path, inside._replace(rows=np.zeros(2, dtype=np.int64)), inside, inside)


WITHOUT = """
import sys
sys.modules["mpc.kernels._ring"] = None
import warnings
import torch
from mpc import kernels
assert kernels.paths() == ("torch",) and not kernels.available()
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    for _ in range(3):
        x = torch.full((60, 60), -1)
        assert torch.equal(kernels.matmul(x, x), x @ x)
    maps = x.reshape(1, 1, 60, 60)
    assert torch.equal(kernels.conv2d(maps, maps), torch.conv2d(maps, maps))
print(*(w.message for w in told))
assert not any(name.startswith("crypten") for name in sys.modules)
"""


def test_without_the_compiled_kernels_torch_multiplies_and_it_says_so_once() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the compiled kernels are not installed: products of shares are torch's") == 1
