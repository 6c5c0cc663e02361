from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from he.model.layers import Add, Concat, Conv, Dense, Reindex, Scale


@pytest.mark.parametrize(
    ("weights", "bias", "message"),
    [
        (np.ones(3), 0, r"weights have shape \(3,\), expected \(outputs, inputs\)"),
        (np.ones((0, 3)), 0, r"weights have shape \(0, 3\)"),
        (np.ones((2, 3)), np.ones(3), r"bias has shape \(3,\), expected \(2,\) for 2 outputs"),
        ([[1, np.nan]], 0, "NaN or infinity"),
        ([[1, 2]], np.inf, "NaN or infinity"),
        (np.zeros((2, 2)), 1, "all 4 weights are zero"),
    ],
)
def test_bad_weights_are_refused(weights: object, bias: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Dense(weights, bias)  # type: ignore[arg-type]


def test_layers_are_frozen_and_show_no_weights() -> None:
    dense = Dense([[0.123456, 2]])
    assert repr(dense) == "Dense(2 -> 1)"
    with pytest.raises(ValueError, match="read-only"):
        dense.weights[0, 0] = 1


@settings(deadline=None)
@given(data=st.data())
def test_convolutions_are_those_of_torch(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    groups, kernel = draw(1, 3), (draw(1, 3), draw(1, 4))
    stride, dilation = (draw(1, 3), draw(1, 2)), (draw(1, 2), draw(1, 2))
    pads = (draw(0, 2), draw(0, 2)), (draw(0, 2), draw(0, 2))
    shape = (groups * draw(1, 2), draw(5, 9), draw(7, 9))
    rng = np.random.default_rng(draw(0, 1000))
    weights = rng.normal(size=(groups * draw(1, 2), shape[0] // groups, *kernel))
    bias, x = rng.normal(size=len(weights)), rng.normal(size=(2, *shape))
    ours = Conv(weights, bias, stride, pads, dilation, groups)
    padded = torch.nn.functional.pad(torch.from_numpy(x), (*pads[1], *pads[0]))
    theirs = torch.nn.functional.conv2d(
        padded, torch.from_numpy(weights), torch.from_numpy(bias), stride, 0, dilation, groups
    ).numpy()
    assert ours.output_shape(shape) == theirs.shape[1:]
    np.testing.assert_allclose(ours(x), theirs, rtol=0, atol=1e-12)


def test_small_layers_do_what_they_say() -> None:
    x = np.arange(12.0).reshape(2, 2, 3)
    factor, offset = np.array([[2.0], [3.0]]), np.array([1.0, 0.0, -1.0])
    assert np.array_equal(Scale(factor, offset)(x), x * factor + offset)
    assert Scale(factor, offset).output_shape((2, 3)) == (2, 3)
    swap = Reindex([[0, 3], [1, 4], [2, 5]])
    assert np.array_equal(swap(x), x.transpose(0, 2, 1))
    assert swap.output_shape((2, 3)) == (3, 2)
    assert np.array_equal(Reindex.reshape((2, 3), (6,))(x), x.reshape(2, 6))
    assert np.array_equal(Add()(x, x, x), 3 * x)
    assert Concat(1).output_shape((2, 3), (2, 1)) == (2, 4)
    assert Concat(1)(x, x[:, :, :1]).shape == (2, 2, 4)
    assert repr(Conv(np.ones((4, 2, 3, 5)), groups=2)) == "Conv(4 -> 4, 3x5, stride (1, 1))"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(np.ones((2, 2))), r"weights have shape \(2, 2\), expected \(outputs, channels"),
        (lambda: Conv(np.ones((3, 1, 1, 1)), groups=2), "groups is 2, expected a divisor of the 3 outputs"),
        (lambda: Conv(np.ones((1, 1, 1, 1)), stride=(0, 1)), r"stride \(0, 1\), .* expected at least 1"),
        (lambda: Conv(np.ones((1, 1, 1, 1)), np.nan), "NaN or infinity"),
        (lambda: Conv(np.ones((1, 1, 9, 1))).output_shape((1, 8, 8)), r"a kernel of \(9, 1\) given"),
        (lambda: Conv(np.ones((1, 2, 1, 1))).output_shape((3, 8, 8)), r"expected \(2, height, width\)"),
        (lambda: Dense(np.ones((1, 2))).output_shape((3,)), r"input of shape \(3,\), expected \(2,\)"),
        (lambda: Scale(np.ones(2)).output_shape((4, 3)), "shape mismatch|expected one that"),
        (lambda: Scale(np.ones((2, 3))).output_shape((3,)), r"expected one that \(2, 3\) broadcasts to"),
        (lambda: Scale(np.inf), "NaN or infinity"),
        (lambda: Reindex([-1]), "expected places from 0 on"),
        (lambda: Reindex([0.5]), "source is float64"),
        (lambda: Reindex([5]).output_shape((5,)), "expected more than 5 entries"),
        (lambda: Add().output_shape((1,)), "expected two or more of one shape"),
        (lambda: Add().output_shape((1,), (2,)), "expected two or more of one shape"),
        (lambda: Concat(1).output_shape((1,), (1,)), "axis is 1, expected 0 to 0"),
        (lambda: Concat().output_shape((1, 2), (1, 3)), "expected two or more alike but for axis 0"),
    ],
)
def test_bad_layers_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
