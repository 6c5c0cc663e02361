"""The group of the intersection: libsodium's own facts about it, order of exponents, points from outside."""

import numpy as np
import pytest
from nacl.bindings import crypto_core_ed25519_is_valid_point

from mpc.group import Mask, hash_to_group

TEXTS = [f"id {number}".encode() for number in range(11)]


def test_hashes_are_different_points_of_the_subgroup() -> None:
    points = [hash_to_group(text) for text in TEXTS]
    assert len(set(points)) == len(TEXTS)
    assert all(crypto_core_ed25519_is_valid_point(point) for point in points)


@pytest.mark.parametrize("chunk", [1, 4, 11, 100])
def test_masks_commute_whatever_the_chunks(chunk: int) -> None:
    first, second = Mask(chunk), Mask(chunk)

    def both(one: Mask, other: Mask) -> list[bytes]:
        table = np.concatenate(list(one.texts(TEXTS)))
        assert table.shape == (len(TEXTS), 32)
        return [row.tobytes() for row in np.concatenate(list(other.points(table)))]

    assert both(first, second) == both(second, first)
    assert both(first, second) != both(first, Mask(chunk))


@pytest.mark.parametrize(
    "point",
    [
        bytes(32),  # not on the curve's prime-order subgroup: order 4
        b"\x01" + bytes(31),  # the neutral element
        b"\xff" * 32,  # not canonical
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),  # order 8
    ],
    ids=["order 4", "neutral", "not canonical", "order 8"],
)
def test_points_outside_the_group_are_refused(point: bytes) -> None:
    table = np.frombuffer(point, dtype=np.uint8).reshape(1, 32)
    with pytest.raises(ValueError, match="no point of the prime-order group"):
        list(Mask(8).points(table))


def test_no_texts_give_no_tables() -> None:
    assert list(Mask(8).texts([])) == []
