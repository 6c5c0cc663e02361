"""Records: strict order, one direction each, keys that change in time, an end that cannot be forged."""

import os

import pytest

from pqc import records
from pqc.errors import ChannelClosed, ChannelCut, ChannelError
from pqc.records import PIECE_BYTES, Opener, Sealer

SECRET = bytes(range(48))
LIMITS = (1 << 20, 1 << 36)


def ends(limits: tuple[int, int] = LIMITS, bound: int = 1 << 30) -> tuple[Sealer, Opener]:
    return Sealer(SECRET, limits), Opener(SECRET, limits, bound)


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 5])
def test_messages_of_every_size_arrive_whole(size: int) -> None:
    sealer, opener = ends()
    message = os.urandom(size)
    sealed = list(sealer.seal(memoryview(message)))
    assert len(sealed) == max(1, -(-size // PIECE_BYTES))
    opened = [opener.open(record) for record in sealed]
    assert opened == [None] * (len(sealed) - 1) + [message]
    with pytest.raises(ChannelClosed, match="ended the stream"):
        opener.open(sealer.end())


def test_lost_doubled_swapped_and_changed_records_end_the_stream() -> None:
    sealer = ends()[0]
    sealed = [next(sealer.seal(text)) for text in (b"zero", b"one", b"two")]
    for order in ((1,), (0, 0), (0, 2), (0, 1, 1), (2, 1, 0)):
        opener = ends()[1]
        with pytest.raises(ChannelCut, match="not the next one"):
            for place in order:
                opener.open(sealed[place])
        with pytest.raises(ChannelCut):
            opener.open(sealed[0])
    for place in range(len(sealed[0])):
        changed = sealed[0][:place] + bytes([sealed[0][place] ^ 1]) + sealed[0][place + 1 :]
        with pytest.raises(ChannelCut):
            ends()[1].open(changed)
    for cut in range(len(sealed[0])):
        with pytest.raises(ChannelCut):
            ends()[1].open(sealed[0][:cut])


def test_directions_have_different_keys() -> None:
    record = next(Sealer(SECRET, LIMITS).seal(b"x"))
    with pytest.raises(ChannelCut):
        Opener(SECRET[::-1], LIMITS, 100).open(record)


@pytest.mark.parametrize("limits", [(3, 1 << 36), (1 << 20, 100)])
def test_keys_change_and_both_ends_follow(limits: tuple[int, int]) -> None:
    sealer, opener = ends(limits)
    seen = []
    for number in range(20):
        seen.append(sealer._secret)
        (record,) = sealer.seal(b"%30d" % number)
        assert opener.open(record) == b"%30d" % number
    # Three records to a key, by number or because 3 records of 47 bytes pass 100 bytes: 7 keys for 20.
    assert [seen.index(secret) // 3 for secret in seen] == [number // 3 for number in range(20)]


def test_the_keys_change_where_the_document_says() -> None:
    assert (records.REKEY_RECORDS, records.REKEY_BYTES) == (2**20, 64 * 2**30)


def test_an_older_key_does_not_open_what_came_after_it() -> None:
    sealer, _ = ends((1, 1 << 36))
    first, second = next(sealer.seal(b"a")), next(sealer.seal(b"a"))
    assert first != second
    with pytest.raises(ChannelCut):
        ends()[1].open(second)


def test_nothing_follows_an_end_and_none_is_inside_a_message() -> None:
    sealer, opener = ends()
    end = sealer.end()
    with pytest.raises(ChannelError, match="has ended the stream"):
        list(sealer.seal(b"x"))
    with pytest.raises(ChannelClosed):
        opener.open(end)
    with pytest.raises(ChannelClosed):
        opener.open(end)
    sealer, opener = ends()
    sealed = sealer.seal(bytes(PIECE_BYTES + 1))
    opener.open(next(sealed))
    with pytest.raises(ChannelCut, match="inside a message"):
        opener.open(sealer.end())


def test_messages_over_the_bound_and_records_over_a_piece_are_refused() -> None:
    sealer, opener = ends(bound=PIECE_BYTES + 10)
    sealed = list(sealer.seal(bytes(PIECE_BYTES + 11)))
    assert opener.open(sealed[0]) is None
    with pytest.raises(ChannelError, match=f"at most {PIECE_BYTES + 10} bytes"):
        opener.open(sealed[1])
    with pytest.raises(ChannelCut, match=f"got {PIECE_BYTES + 18}"):
        ends()[1].open(bytes(PIECE_BYTES + 18))
