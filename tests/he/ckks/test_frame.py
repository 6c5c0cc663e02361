import pytest
from hypothesis import given
from hypothesis import strategies as st

from he.ckks import frame
from he.ckks.frame import Kind

OWNER = bytes(range(16))
GOOD = frame.seal(Kind.REQUEST, "seal", OWNER, b"the body")


def test_a_frame_gives_its_body_back() -> None:
    assert bytes(frame.unseal(GOOD, Kind.REQUEST, "seal", OWNER)) == b"the body"
    assert frame.engine_of(GOOD) == "seal"


@given(st.integers(0, len(GOOD) * 8 - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    bad = bytearray(GOOD)
    bad[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ValueError, match="expected"):
        frame.unseal(bytes(bad), Kind.REQUEST, "seal", OWNER)


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_any_cut_is_noticed(length: int) -> None:
    with pytest.raises(ValueError, match=f"{length} bytes given, expected"):
        frame.unseal(GOOD[:length], Kind.REQUEST, "seal", OWNER)


def test_bytes_behind_the_end_are_noticed() -> None:
    with pytest.raises(ValueError, match=f"{len(GOOD) + 1} bytes given, expected {len(GOOD)}"):
        frame.unseal(GOOD + b"\0", Kind.REQUEST, "seal", OWNER)


def test_another_kind_engine_or_owner_is_named() -> None:
    with pytest.raises(ValueError, match="kind is 'REQUEST', expected 'RESPONSE'"):
        frame.unseal(GOOD, Kind.RESPONSE, "seal", OWNER)
    with pytest.raises(ValueError, match="engine is 'seal', expected 'other'"):
        frame.unseal(GOOD, Kind.REQUEST, "other", OWNER)
    with pytest.raises(ValueError, match=r"id of plan or parameters is '000102.*', expected '0000"):
        frame.unseal(GOOD, Kind.REQUEST, "seal", bytes(16))
    with pytest.raises(TypeError, match="data is str, expected bytes"):
        frame.unseal("text", Kind.REQUEST, "seal", OWNER)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 bytes given, expected at least"):
        frame.engine_of(b"abc")


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        frame.unseal(data, Kind.REQUEST, "seal", OWNER)


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_parts_come_back(parts: list[bytes]) -> None:
    body = memoryview(frame.pack_parts(parts))
    assert [bytes(part) for part in frame.unpack_parts(body, len(parts), 20)] == parts


def test_wrong_parts_are_refused() -> None:
    body = memoryview(frame.pack_parts([b"abc", b"de"]))
    with pytest.raises(ValueError, match="part 3 of 3 is missing"):
        frame.unpack_parts(body, 3, 20)
    with pytest.raises(ValueError, match="the body has 21 bytes, expected 11 for 1 parts"):
        frame.unpack_parts(body, 1, 20)
    with pytest.raises(ValueError, match="part 1 has 3 bytes, expected at most 2"):
        frame.unpack_parts(body, 2, 2)
    with pytest.raises(ValueError, match="part 2 has 2 bytes, expected at most 20, 1 left"):
        frame.unpack_parts(body[:-1], 2, 20)


@given(st.binary(max_size=60), st.integers(0, 4))
def test_garbage_parts_never_claim_more_than_there_is(data: bytes, count: int) -> None:
    try:
        parts = frame.unpack_parts(memoryview(data), count, 20)
    except ValueError:
        return
    assert frame.pack_parts([bytes(part) for part in parts]) == data
