"""Checks of what comes from outside: both numbers in the message, buffers of any shape without a copy."""

import copy
import pickle

import numpy as np
import pytest

from pqc.checks import Secret, as_bytes, checked_name, exact_bytes, flat, flat_writable


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_come_in_three_types(data: bytes | bytearray | memoryview) -> None:
    assert as_bytes(data, "key") == exact_bytes(data, 2, "key") == b"ab"


@pytest.mark.parametrize("data", ["ab", 2, None, [1, 2]])
def test_anything_else_is_a_type_error_that_names_it(data: object) -> None:
    with pytest.raises(TypeError, match=f"key: expected bytes, got {type(data).__name__}"):
        as_bytes(data, "key")


def test_a_wrong_length_names_both_numbers() -> None:
    with pytest.raises(ValueError, match="key: expected 32 bytes, got 31"):
        exact_bytes(bytes(31), 32, "key")


def test_names_are_text() -> None:
    assert checked_name("hospital-a.2_x") == "hospital-a.2_x"
    with pytest.raises(TypeError, match="name: expected str, got bytes"):
        checked_name(b"hospital-a")


@pytest.mark.parametrize("shape", [(0,), (0, 3), (1,), (2, 3), ()])
def test_arrays_of_any_shape_are_their_bytes_in_place(shape: tuple[int, ...]) -> None:
    array = np.ones(shape)
    assert flat(array.data) == array.tobytes()
    view = flat_writable(array.data)
    assert view.nbytes == array.nbytes
    if array.size:
        view[:8] = bytes(8)
        assert array.reshape(-1)[0] == 0


def test_buffers_with_gaps_and_those_that_cannot_be_written_are_refused() -> None:
    with pytest.raises(TypeError, match="contiguous"):
        flat(np.ones((4, 4))[:, ::2].data)
    with pytest.raises(TypeError, match="buffer: expected a writable one, got a read-only bytes"):
        flat_writable(b"fixed")  # type: ignore[arg-type]


def test_a_secret_is_neither_pickled_nor_copied() -> None:
    class Key(Secret):
        pass

    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="Key holds a secret and is not pickled"):
            leak(Key())
