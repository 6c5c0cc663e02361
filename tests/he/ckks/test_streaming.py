import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from he import kernels
from he.ckks import frame, wire
from he.ckks.frame import Kind
from he.ckks.keys import SecretKey, each_key
from he.ckks.ring import Ring
from he.ckks.streaming import Reader, read_exactly, sealed

OWNER = bytes(range(16))
BODY = b"the body of a frame"
GOOD = frame.seal(Kind.REQUEST, "seal", OWNER, BODY)

needs_kernels = pytest.mark.skipif(not kernels.available(), reason="the exact kernels are too slow for this")


def read_back(data: bytes, largest: int = 100) -> bytes:
    reader = Reader(read_exactly(io.BytesIO(data)))
    reader.expect(Kind.REQUEST, "seal", OWNER, largest)
    body = b"".join(reader.read(min(5, reader.left)) for _ in range(-(-reader.length // 5)))
    reader.finish()
    return body


@given(st.lists(st.binary(max_size=9)))
def test_pieces_make_the_same_frame_and_come_back(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    data = b"".join(sealed(Kind.REQUEST, "seal", OWNER, len(body), pieces))
    assert data == frame.seal(Kind.REQUEST, "seal", OWNER, body)
    assert read_back(data, len(body)) == body
    with pytest.raises(ValueError, match=f"length of the pieces is {len(body)}, expected {len(body) + 1}"):
        list(sealed(Kind.REQUEST, "seal", OWNER, len(body) + 1, pieces))


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_any_flipped_bit_and_any_cut_are_noticed(bit: int) -> None:
    bad = bytearray(GOOD)
    bad[bit // 8] ^= 1 << bit % 8
    for data in (bytes(bad), GOOD[: bit // 8]):
        with pytest.raises(ValueError, match="expected"):
            read_back(data)


def test_a_length_out_of_bounds_is_refused_before_anything_is_read() -> None:
    asked: list[int] = []

    def read(count: int) -> bytes:
        asked.append(count)
        return GOOD[: frame.HEADER.size]

    reader = Reader(read)
    with pytest.raises(ValueError, match="a body of 19 bytes is announced, expected at most 18"):
        reader.expect(Kind.REQUEST, "seal", OWNER, 18)
    assert asked == [frame.HEADER.size]
    with pytest.raises(ValueError, match="the body has 19 bytes, expected 2 more"):
        reader.read(21)
    with pytest.raises(ValueError, match="length of the body is 19, expected 0"):
        reader.finish()


def test_keys_come_back_from_a_stream(secret: SecretKey, ring: Ring) -> None:
    levels, keys = each_key(secret, {k: 1 + k % 3 for k in range(1, 21)})
    assert len(levels) == 20 and set(levels.values()) == {1, 2, 3}
    data = b"".join(wire.stream_evaluation_keys(ring, levels, keys))
    loaded = wire.read_evaluation_keys(ring, read_exactly(io.BytesIO(data)), levels.values())
    again = wire.load_evaluation_keys(ring, data)
    assert len(data) == wire.evaluation_keys_bytes(ring.params, levels.values())
    for k, level in levels.items():
        assert loaded.automorphisms[k].level(ring) == level
        np.testing.assert_array_equal(loaded.automorphism(k), again.automorphism(k))
    with pytest.raises(ValueError, match="is announced, expected at most"):
        wire.read_evaluation_keys(ring, read_exactly(io.BytesIO(data)), [3] * 7 + [2] * 6 + [1] * 6)


@needs_kernels
def test_reading_keys_takes_little_beside_them(secret: SecretKey, ring: Ring) -> None:
    """Python's own memory: one packed polynomial, not the message."""
    levels, keys = each_key(secret, range(1, 21))
    size = wire.evaluation_keys_bytes(ring.params, levels.values())

    class Source:
        """The pieces as a stream, so that the whole never exists."""

        def __init__(self) -> None:
            self.pieces: Any = wire.stream_evaluation_keys(ring, levels, keys)
            self.rest = b""

        def read(self, count: int) -> bytes:
            while len(self.rest) < count:
                self.rest += next(self.pieces)
            out, self.rest = self.rest[:count], self.rest[count:]
            return out

    tracemalloc.start()
    loaded = wire.read_evaluation_keys(ring, Source().read, levels.values())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(loaded.automorphisms) == 20
    assert peak < size / 4
