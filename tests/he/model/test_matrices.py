from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from he.model.layers import Add, Concat, Conv, Dense, Linear, Reindex, Scale
from he.model.matrices import matrices

RNG = np.random.default_rng(0)
IMAGE = (2, 5, 4)


def check(layer: Linear, *shapes: tuple[int, ...]) -> None:
    """The matrices do what the layer does, and hold no zeros."""
    x = [RNG.normal(size=(3, *shape)) for shape in shapes]
    parts, bias = matrices(layer, *shapes)
    got = sum((m @ a.reshape(3, -1).T).T for m, a in zip(parts, x, strict=True)) + bias
    np.testing.assert_allclose(got, layer(*x).reshape(3, -1), rtol=0, atol=1e-12)
    assert all((m.data != 0).all() for m in parts)


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (Dense([[1.0, 0.0, -2.0]], 0.5), [(3,)]),
        (Scale(RNG.normal(size=(2, 1, 1)), RNG.normal(size=(5, 4))), [IMAGE]),
        (Scale([0.0, 1.0], 1.0), [(2,)]),
        (Reindex(RNG.integers(0, 40, (7, 3))), [IMAGE]),
        (Add(), [IMAGE, IMAGE, IMAGE]),
        (Concat(0), [IMAGE, (1, 5, 4)]),
        (Concat(2), [IMAGE, (2, 5, 1), (2, 5, 3)]),
    ],
)
def test_each_kind_of_layer(layer: Linear, shapes: Any) -> None:
    check(layer, *shapes)


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_convolutions(data: st.DataObject) -> None:
    number = st.integers(1, 3)
    groups, kernel = data.draw(st.integers(1, 2)), (data.draw(number), data.draw(number))
    inputs, outputs = groups * data.draw(number), groups * data.draw(number)
    padding = tuple((data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in range(2))
    conv = Conv(
        RNG.normal(size=(outputs, inputs // groups, *kernel)),
        RNG.normal(size=outputs),
        stride=(data.draw(number), data.draw(number)),
        padding=padding,  # type: ignore[arg-type]
        dilation=(data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))),
        groups=groups,
    )
    check(conv, (inputs, data.draw(st.integers(5, 8)), data.draw(st.integers(5, 8))))
