import numpy as np

from he.model.convolution import Windows


def test_places_and_patches_agree() -> None:
    windows = Windows.of((3, 6, 7), (3, 2), (2, 1), ((1, 0), (2, 1)), (1, 3))
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 7))
    places = windows.places()
    assert places.shape == (3, 2, *windows.counts)
    flat = np.concatenate([x.reshape(2, 3, 42), np.zeros((2, 3, 1))], axis=2)  # place -1 is the zero
    assert np.array_equal(windows.patches(x), flat[:, :, places])
