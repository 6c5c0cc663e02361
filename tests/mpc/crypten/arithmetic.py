"""Checks of sums, products, divisions, convolutions and pools against torch, within one unit where exact."""

from __future__ import annotations

from typing import Any

import torch
from checking import UNIT, Table, close, grid, share

ARITHMETIC = Table()
same = ARITHMETIC.same

X, Y = grid(3, 5, seed=1), grid(3, 5, seed=2)
WIDE = grid(3, 5, seed=3, low=-200.0, high=200.0)
ROW = grid(5, seed=4)

for name in ("add", "sub"):
    same(f"{name}_secret", lambda x, y, name=name: getattr(x, name)(y), X, Y)
    same(f"{name}_broadcast", lambda x, y, name=name: getattr(x, name)(y), X, ROW)
    same(f"{name}_public", lambda x, name=name: getattr(x, name)(Y.to(torch.float)), X)
    same(f"{name}_integer", lambda x, name=name: getattr(x, name)(3), X)
    same(f"{name}_float", lambda x, name=name: getattr(x, name)(-1.5), X)
same("neg", lambda x: -x, X)
same("reverse_subtraction", lambda x: 2.5 - x, X)
same("reverse_sum_and_product", lambda x: 2 + 3 * x, X)

# A product is cut once: less than one unit of error, whatever its size.
same("mul_secret", lambda x, y: x * y, WIDE, Y, bound=UNIT)
same("mul_broadcast", lambda x, y: x * y, WIDE, ROW, bound=UNIT)
same("mul_public", lambda x: x * Y.to(torch.float), WIDE, bound=UNIT)
same("mul_integer", lambda x: x * -7, X)
same("mul_integer_tensor", lambda x: x * torch.tensor([1, -2, 3, 0, 5]), X, bound=UNIT)
same("mul_float", lambda x: x * 0.375, WIDE, bound=UNIT)
same("square", lambda x: x.square(), WIDE, bound=UNIT)
same("mul_of_one_number", lambda x, y: x * y, grid(1, seed=5), grid(1, seed=6), bound=UNIT)
same("mul_of_scalars", lambda x, y: x * y, grid(seed=5), grid(seed=6), bound=UNIT)

for left, right in [((4, 3), (3, 6)), ((3,), (3,)), ((3,), (3, 2)), ((4, 3), (3,)), ((2, 4, 3), (2, 3, 5))]:
    label = f"matmul_{'x'.join(map(str, left))}_{'x'.join(map(str, right))}"
    a, b = grid(*left, seed=7), grid(*right, seed=8)
    same(f"{label}_secret", lambda x, y: x.matmul(y), a, b, bound=UNIT)
    same(
        f"{label}_public",
        lambda x, b=b: x.matmul(b.to(x.dtype if torch.is_tensor(x) else torch.float)),
        a,
        bound=UNIT,
    )
same("matmul_operator", lambda x, y: x @ y, grid(4, 3), grid(3, 6), bound=UNIT)
same("dot", lambda x, y: x.dot(y), grid(6, seed=1), grid(6, seed=2), bound=6 * UNIT)
same("ger", lambda x, y: x.ger(y), grid(4, seed=1), grid(3, seed=2), bound=UNIT)

# Whole divisors, also one for each entry: two units at most. Others: see CLOSE_RECIPROCAL.
same("div_power_of_two", lambda x: x / 4, WIDE, bound=UNIT)
same("div_integer", lambda x: x / 7, WIDE, bound=2 * UNIT)
same("div_negative", lambda x: x / -7, WIDE, bound=2 * UNIT)
same("div_whole_float", lambda x: x / 10.0, WIDE, bound=2 * UNIT)
same("div_integer_tensor", lambda x: x / torch.tensor([1, 3, -569, 1000, 2**20]), WIDE, bound=2 * UNIT)
same(
    "div_whole_float_tensor",
    lambda x: x / torch.tensor([1.0, 3.0, -569.0, 2.0, 1000.0]),
    WIDE,
    bound=2 * UNIT,
)
same("div_column", lambda x: x / torch.tensor([[3], [5], [7]]), WIDE, bound=2 * UNIT)
same("div_widens", lambda x: x / torch.tensor([[3], [5]]), ROW, bound=2 * UNIT)
# A reciprocal is rounded to 17 significant bits at least, for the smallest divisor of a tensor.
RELATIVE = WIDE.abs() * 2.0**-17
same("div_float", lambda x: x / 2.5, WIDE, bound=2 * UNIT + RELATIVE)
same("div_large_float", lambda x: x / 1000.5, WIDE, bound=2 * UNIT + RELATIVE / 1000)
same("div_small_float", lambda x: x / 0.3, WIDE, bound=2 * UNIT + 4 * RELATIVE)
DIVISORS = torch.tensor([0.5, -2.25, 1.5, 100.125, 3.75])
same("div_float_tensor", lambda x: x / DIVISORS, WIDE, bound=2 * UNIT + 2 * RELATIVE)


@ARITHMETIC.add
def in_place(crypten: Any) -> None:
    (x, y) = share(crypten, [X, Y])
    before = x
    x += y
    x -= 1
    x *= 2
    x /= 4
    assert x is before
    close(x, (X + Y - 1) * 2 / 4, UNIT)


@ARITHMETIC.add
def division_by_zero(crypten: Any) -> None:
    (x,) = share(crypten, [X])
    for zero in (0, torch.tensor([1, 2, 0, 4, 5])):
        try:
            x / zero
        except ZeroDivisionError:
            continue
        raise AssertionError("division by zero gave a result")


@ARITHMETIC.add
def unscaled_integers(crypten: Any) -> None:
    """Tensors without fractional bits, as CrypTen makes them with precision=0."""
    raw = torch.tensor([-(2**60), 2**52 + 1, 7, -9])
    x = crypten.cryptensor(raw, precision=0)
    assert torch.equal(x.reveal(), raw)
    assert torch.equal((x * 1 + x).reveal(), raw * 2)
    close((x / 3).reveal().double(), raw.double() / 3, 2.0)


@ARITHMETIC.add
def large_values(crypten: Any) -> None:
    """Products with raw values of 2^40 to 2^61, where dividing each share fails ever more often."""
    for bits in (40, 44, 48, 52, 61):
        left, right = 2.0 ** ((bits - 32) // 2), -(2.0 ** ((bits - 31) // 2))
        x, y = share(crypten, [torch.full((2000,), left), torch.full((2000,), right)])
        product = (x * y).reveal()
        assert int((product + 2 ** (bits - 16)).abs().max()) <= 1, f"raw 2^{bits}"


IMAGE, KERNEL = grid(2, 3, 7, 6, seed=1), grid(4, 3, 3, 2, seed=2)
SIGNAL, FILTER = grid(2, 3, 9, seed=3), grid(4, 3, 3, seed=4)
OPTIONS = [{}, {"padding": 1}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": 2}]
for index, options in enumerate(OPTIONS):
    for conv, x, w in [("conv1d", SIGNAL, FILTER), ("conv2d", IMAGE, KERNEL)]:

        def convolve(x: Any, w: Any, conv: str = conv, options: Any = options) -> Any:
            if torch.is_tensor(x):
                return getattr(torch.nn.functional, conv)(x, w, **options)
            return getattr(x, conv)(w, **options)

        same(f"{conv}_{index}_secret", convolve, x, w, bound=UNIT)
        public = w.to(torch.float)
        same(
            f"{conv}_{index}_public",
            lambda x, public=public, convolve=convolve: convolve(
                x, public.to(getattr(x, "dtype", torch.float))
            ),
            x,
            bound=UNIT,
        )
for index, options in enumerate([{}, {"stride": 2, "padding": 1, "output_padding": 1}]):
    for conv, x, w in [
        ("conv_transpose1d", grid(2, 4, 9, seed=3), FILTER),
        ("conv_transpose2d", grid(2, 4, 7, 6, seed=1), KERNEL),
    ]:

        def transposed(x: Any, w: Any, conv: str = conv, options: Any = options) -> Any:
            if torch.is_tensor(x):
                return getattr(torch.nn.functional, conv)(x, w, **options)
            return getattr(x, conv)(w, **options)

        same(f"{conv}_{index}_secret", transposed, x, w, bound=UNIT)


@ARITHMETIC.add
def grouped_convolution(crypten: Any) -> None:
    image, kernel = grid(2, 4, 5, 5, seed=1), grid(4, 2, 3, 3, seed=2)
    x, w = share(crypten, [image, kernel])
    close(x.conv2d(w, groups=2), torch.nn.functional.conv2d(image, kernel, groups=2), UNIT)


def pool(kind: str, **options: Any) -> Any:
    def apply(x: Any) -> Any:
        function = getattr(torch.nn.functional, kind) if torch.is_tensor(x) else getattr(type(x), kind)
        return function(x, **options)

    return apply


for index, options in enumerate(
    [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 2},
        {"kernel_size": 2, "padding": 1},
        {"kernel_size": (2, 3)},
    ]
):
    same(f"avg_pool2d_{index}", pool("avg_pool2d", **options), IMAGE, bound=2 * UNIT)
    high = IMAGE + 5.0  # CrypTen pads with zeros, torch with minus infinity
    same(f"max_pool2d_{index}", pool("max_pool2d", **options), high, bound=UNIT * 4)
for size in [(2, 2), (3, 2), (7, 6), (1, 1)]:
    label = f"{size[0]}x{size[1]}"
    # Rows that CrypTen repeats to even out the windows are means themselves, hence more roundings.
    same(f"adaptive_avg_pool2d_{label}", pool("adaptive_avg_pool2d", output_size=size), IMAGE, bound=8 * UNIT)
    same(f"adaptive_max_pool2d_{label}", pool("adaptive_max_pool2d", output_size=size), IMAGE, bound=UNIT * 8)
