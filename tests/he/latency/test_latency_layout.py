import numpy as np
import pytest

from he.latency.layout import Layout, gather, power_of_two, spread


def test_an_image_lies_row_after_row() -> None:
    layout = Layout.image((2, 3, 5), 8)
    assert (layout.block, layout.period, layout.features) == (32, 64, 30)
    places = layout.places.reshape(2, 3, 5)
    assert places[0, 0].tolist() == [0, 1, 2, 3, 4]
    assert places[0, 1, 0] == 8
    assert places[1, 0, 0] == 32


def test_a_strided_convolution_leaves_outputs_where_windows_stood() -> None:
    image = Layout.image((1, 8, 8), 8)
    spread_out = image.strided((3, 4, 4), 2, False, 512)
    assert spread_out.places.reshape(3, 4, 4)[1, 2].tolist() == [64 + 32 + 2 * x for x in range(4)]
    packed = image.strided((6, 4, 4), 2, True, 512)
    places = packed.places.reshape(6, 4, 4)
    assert places[:, 0, 0].tolist() == [0, 1, 8, 9, 64, 65]
    assert len(np.unique(places)) == 96
    assert packed.period == 128
    again = packed.strided((17, 2, 2), 2, True, 512)
    assert again.gap == (4, 4)
    assert len(np.unique(again.places)) == 68


@pytest.mark.parametrize("layout", [Layout.vector(5, 8), Layout.image((2, 3, 3), 4), Layout.vector(70, 128)])
def test_samples_come_back_and_are_repeated(layout: Layout) -> None:
    rows = np.random.default_rng(0).normal(size=(3, layout.features))
    width, samples = 64, 4
    slots = spread(rows, layout, width, samples)
    assert len(slots) == layout.ciphertexts(width) == (2 if layout.features > 64 else 1)
    np.testing.assert_array_equal(gather(slots, layout, width, samples, 3), rows)
    assert not gather(slots, layout, width, samples, 4)[3].any()
    if layout.period < width:
        table = slots[0].reshape(width, samples)
        np.testing.assert_array_equal(table[: layout.period], table[layout.period : 2 * layout.period])


def test_powers_of_two() -> None:
    assert [power_of_two(n) for n in (1, 2, 3, 4, 5, 1000)] == [1, 2, 4, 4, 8, 1024]
