"""The body: every chunk in its place, the last one marked, whatever is done to the file."""

from io import BytesIO, RawIOBase

import pytest

from pqc.age import stream
from pqc.age.errors import HeaderError, PayloadError

FILE_KEY = b"YELLOW SUBMARINE"
SEALED_CHUNK = stream.CHUNK_BYTES + stream.TAG_BYTES
SIZES = [0, 1, 65535, 65536, 65537, 131072, 200_000]


def seal(plain: bytes) -> bytes:
    sink = BytesIO()
    stream.encrypt(FILE_KEY, BytesIO(plain), sink.write)
    return sink.getvalue()


def released(sealed: bytes) -> tuple[bytes, bool]:
    """What comes out, and whether it ended well."""
    sink = BytesIO()
    try:
        stream.decrypt(FILE_KEY, BytesIO(sealed), sink.write)
    except (HeaderError, PayloadError):
        return sink.getvalue(), False
    return sink.getvalue(), True


def content(size: int) -> bytes:
    return bytes(index * 7 & 255 for index in range(size))


@pytest.mark.parametrize("size", SIZES)
def test_there_and_back_with_the_size_of_the_format(size: int) -> None:
    sealed = seal(content(size))
    assert len(sealed) == 16 + size + 16 * max(1, -(-size // 65536))
    assert released(sealed) == (content(size), True)


@pytest.mark.parametrize("size", [0, 40, 65536])
def test_a_body_cut_anywhere_releases_only_a_true_beginning(size: int) -> None:
    sealed = seal(content(size))
    cuts = range(len(sealed)) if size < 100 else [*range(40), *range(len(sealed) - 40, len(sealed))]
    for cut in cuts:
        assert released(sealed[:cut]) == (b"", False)


def test_two_chunks_cut_extended_swapped_doubled_or_dropped() -> None:
    plain = content(3 * 65536)
    sealed = seal(plain)
    nonce, body = sealed[:16], sealed[16:]
    one, two, three = (body[start : start + SEALED_CHUNK] for start in (0, SEALED_CHUNK, 2 * SEALED_CHUNK))
    for changed, true_chunks in (
        (one + two, 2),
        (one, 1),
        (one + three, 1),
        (two + one + three, 0),
        (one + one + two + three, 1),
        (one + two + three + three, 3),
        (one + two + three + b"\0", 3),
        (one + two + two + three, 2),
        (one + two + three[:-1], 2),
    ):
        out, well = released(nonce + changed)
        assert not well
        assert out == plain[: true_chunks * 65536]


def test_every_flipped_bit_is_noticed() -> None:
    sealed = seal(content(100))
    for place in range(len(sealed)):
        for bit in range(8):
            changed = sealed[:place] + bytes([sealed[place] ^ 1 << bit]) + sealed[place + 1 :]
            assert released(changed) == (b"", False)


class Dribble(RawIOBase):
    """A pipe that gives a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._source = BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._source.read(min(size, 1000))


def test_a_pipe_may_give_bytes_in_parts() -> None:
    plain, sink, back = content(200_000), BytesIO(), BytesIO()
    stream.encrypt(FILE_KEY, Dribble(plain), sink.write)  # type: ignore[arg-type]
    stream.decrypt(FILE_KEY, Dribble(sink.getvalue()), back.write)  # type: ignore[arg-type]
    assert back.getvalue() == plain
