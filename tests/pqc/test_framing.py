"""Framing: messages come out as they went in, however the bytes between are cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pqc.errors import ChannelClosed, ChannelCut, ChannelError
from pqc.framing import Inbox, frame


class Feed:
    """Stands for a session whose records are given one by one; None means that nothing has come."""

    def __init__(self, records: list[bytes | Exception | None]) -> None:
        self.records = records
        self.hungry = False

    def read(self, size: int) -> bytes:
        if not self.records:
            return b""
        head = self.records[0]
        if isinstance(head, Exception):
            raise head
        if not head:
            self.records.pop(0)
            return b""
        piece, rest = head[:size], head[size:]
        self.records[:1] = [rest] if rest else []
        return piece

    def read_into(self, target: memoryview) -> int:
        piece = self.read(len(target))
        target[: len(piece)] = piece
        return len(piece)


def inbox(records: list[bytes | Exception | None], bound: int = 1 << 30) -> Inbox:
    return Inbox(Feed(records), bound)  # type: ignore[arg-type]


messages = st.lists(st.binary(max_size=40_000) | st.integers(0, 3).map(bytes), max_size=5)


@settings(max_examples=150, deadline=None)
@given(messages, st.lists(st.integers(1, 20_000), max_size=20), st.booleans())
def test_messages_survive_any_cutting(sent: list[bytes], cuts: list[int], into: bool) -> None:
    wire = b"".join(bytes(piece) for message in sent for pieces in frame(message) for piece in pieces)
    records: list[bytes | Exception | None] = []
    for cut in cuts:
        records += [wire[:cut], None]
        wire = wire[cut:]
    records += [wire[start : start + 16384] for start in range(0, len(wire), 16384)]
    box, got, buffer = inbox(records), [], memoryview(bytearray(40_000))
    for _ in range(len(sent) + 2 * len(records) + 5):
        if into:
            size = box.message_into(buffer)
            if size is None:
                box.keep(buffer)
                buffer[:] = b"?" * len(buffer)  # the caller's next buffer may be another one
            else:
                got.append(bytes(buffer[:size]))
        elif (message := box.message()) is not None:
            got.append(message)
    assert got == sent


def test_a_message_in_parts_may_be_taken_either_way() -> None:
    wire = (10).to_bytes(8, "big") + b"0123456789"
    box = inbox([wire[:11], None, wire[11:]])
    assert box.message() is None
    target = memoryview(bytearray(10))
    assert box.message_into(target) == 10
    assert target == b"0123456789"


@pytest.mark.parametrize("seen", [b"\0", b"\0" * 7, b"\0" * 7 + b"\5", b"\0" * 7 + b"\5abcd"])
def test_an_end_inside_a_message_is_a_cut(seen: bytes) -> None:
    for read in (lambda box: box.message(), lambda box: box.message_into(memoryview(bytearray(9)))):
        box = inbox([seen, ChannelClosed("alice closed the channel")])
        with pytest.raises(ChannelCut, match="in the middle of a message"):
            while True:
                read(box)


def test_an_end_between_messages_is_clean() -> None:
    box = inbox([bytes(8), ChannelClosed("alice closed the channel")])
    assert box.message() == b""
    with pytest.raises(ChannelClosed):
        box.message()


@pytest.mark.parametrize("length", [1001, 1 << 40, (1 << 64) - 1])
def test_a_length_over_the_bound_is_refused_before_anything_is_allocated(length: int) -> None:
    with pytest.raises(ChannelError, match=f"a message of {length} bytes, expected at most 1000"):
        inbox([length.to_bytes(8, "big")], bound=1000).message()
