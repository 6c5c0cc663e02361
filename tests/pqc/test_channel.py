"""Channels between real sockets: whole messages, in order, both ways at once; ends told from cuts."""

import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import pqc
from pqc.channel import Channel
from pqc.wire import Deadline

Pair = Callable[..., tuple[Channel, Channel]]

SIZES = [0, 1, 100, 16375, 16376, 16377, 16384, 262_143, 262_144, 262_145, 3_000_000]


def test_both_ends_know_each_other_and_share_an_exporter(pair: Pair) -> None:
    client, server = pair()
    assert (client.peer, server.peer) == ("bob", "alice")
    assert client.group == server.group == "X25519MLKEM768"
    assert client.export("mpc", 48) == server.export("mpc", 48)
    assert client.export("mpc", 48) != client.export("he", 48)


def test_messages_of_every_size_arrive_whole_and_are_counted(pair: Pair) -> None:
    client, server = pair()
    messages = [os.urandom(size) for size in SIZES]
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(lambda: [client.send(message) for message in messages])
        assert [server.receive(timeout_s=20) for _ in messages] == messages
        sent.result()
    expected = sum(SIZES) + 8 * len(SIZES)
    assert client.bytes_sent == server.bytes_received == expected
    assert client.bytes_received == server.bytes_sent == 0


def test_messages_arrive_in_buffers_of_the_caller(pair: Pair) -> None:
    client, server = pair()
    messages = [os.urandom(size) for size in SIZES]
    buffer = bytearray(max(SIZES) + 10)
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(lambda: [client.send(memoryview(message)) for message in messages])
        for message in messages:
            assert server.receive_into(buffer, timeout_s=20) == len(message)
            assert buffer[: len(message)] == message
        sent.result()


def test_a_short_buffer_is_refused_and_the_message_kept(pair: Pair) -> None:
    client, server = pair()
    client.send(b"twelve bytes")
    with pytest.raises(ValueError, match="message has 12 bytes, got room for 11"):
        server.receive_into(bytearray(11), timeout_s=5)
    assert server.receive(timeout_s=5) == b"twelve bytes"


def test_a_buffer_that_cannot_be_written_is_refused_and_the_message_kept(pair: Pair) -> None:
    client, server = pair()
    client.send(bytes(100_000))
    with pytest.raises(TypeError, match="expected a writable one, got a read-only bytes"):
        server.receive_into(bytes(100_000), timeout_s=5)  # type: ignore[arg-type]
    assert server.receive(timeout_s=5) == bytes(100_000)


def test_an_empty_table_is_an_empty_message(pair: Pair) -> None:
    import numpy as np

    client, server = pair()
    table = np.zeros((0, 30))
    client.send(table.data)
    assert server.receive_into(table.data, timeout_s=5) == 0
    client.send(b"next")
    assert server.receive(timeout_s=5) == b"next"


def test_numbers_travel_without_copies(pair: Pair) -> None:
    import numpy as np

    client, server = pair()
    sent = np.arange(100_000, dtype=np.float64).reshape(100, 1000)
    taken = np.empty_like(sent)
    with ThreadPoolExecutor() as pool:
        done = pool.submit(client.send, sent)  # type: ignore[arg-type]
        assert server.receive_into(taken.data, timeout_s=10) == sent.nbytes
        done.result()
    assert np.array_equal(sent, taken)


def test_two_peers_that_both_send_first_do_not_block_each_other(pair: Pair) -> None:
    """One thread each: nobody receives until its own 32 MB are out, far over what sockets hold."""
    ends = pair()
    messages = [os.urandom(32_000_000), os.urandom(32_000_000)]

    def exchange(which: int) -> bool:
        ends[which].send(messages[which], timeout_s=60)
        return ends[which].receive(timeout_s=60) == messages[1 - which]

    with ThreadPoolExecutor() as pool:
        assert all(pool.map(exchange, (0, 1)))


def test_one_thread_sends_while_another_receives_on_both_sides(pair: Pair) -> None:
    ends = pair()
    rounds, message = 40, os.urandom(500_000)

    def send(end: Channel) -> bool:
        return all(end.send(message, timeout_s=60) is None for _ in range(rounds))

    def receive(end: Channel) -> bool:
        return all(end.receive(timeout_s=60) == message for _ in range(rounds))

    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(job, end) for end in ends for job in (send, receive)]
        assert all(job.result() for job in jobs)


def test_many_senders_share_a_channel_without_mixing_messages(pair: Pair) -> None:
    client, server = pair()
    messages = [bytes([index]) * 200_000 for index in range(8)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(client.send, message) for message in messages]
        received = [server.receive(timeout_s=20) for _ in messages]
        for job in jobs:
            job.result()
    assert sorted(received) == messages


def test_a_clean_close_delivers_everything_first(pair: Pair) -> None:
    client, server = pair()
    client.send(b"last words")
    client.close()
    assert server.receive(timeout_s=5) == b"last words"
    for _ in range(2):
        with pytest.raises(pqc.ChannelClosed, match="alice closed"):
            server.receive(timeout_s=5)
    with pytest.raises(pqc.ChannelClosed):
        server.send(b"too late")
    with pytest.raises(pqc.ChannelError, match="closed at this end"):
        client.send(b"x")
    client.close()


def test_a_cut_connection_is_not_a_clean_close(pair: Pair) -> None:
    client, server = pair()
    client._wire.wake()  # what a dying process or network does: no authenticated end
    with pytest.raises(pqc.ChannelCut, match="lost without a clean end"):
        server.receive(timeout_s=5)


def test_a_close_inside_a_message_is_a_cut(pair: Pair) -> None:
    client, server = pair()
    client._session.write(b"\0\0\0\0\0\0\0\5abc")
    client.close()
    with pytest.raises(pqc.ChannelCut, match="in the middle of a message"):
        server.receive(timeout_s=5)


def test_timeouts_lose_nothing(pair: Pair) -> None:
    client, server = pair()
    with pytest.raises(TimeoutError, match=r"nothing within 0.1 s"):
        server.receive(timeout_s=0.1)
    body, buffer = os.urandom(300_000), bytearray(300_000)

    def receive_into(timeout_s: float) -> bytes:
        assert server.receive_into(buffer, timeout_s) == len(buffer)
        return bytes(buffer)

    for receive in (server.receive, receive_into):
        client._push(((300_000).to_bytes(8, "big"), body[:100_000]), Deadline(None))
        with pytest.raises(TimeoutError):
            receive(timeout_s=0.2)
        client._push((body[100_000:],), Deadline(None))
        assert receive(timeout_s=10) == body


def test_a_peer_that_stops_reading_runs_a_send_out_of_time_and_cuts(pair: Pair) -> None:
    client, _ = pair()
    with pytest.raises(TimeoutError, match="send to bob"):
        client.send(bytes(100_000_000), timeout_s=0.5)
    with pytest.raises(pqc.ChannelCut, match="stopped midway"):
        client.send(b"x")


def test_an_interrupted_send_never_leaves_half_a_message_to_be_continued(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, server = pair()

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(client._wire), "send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.send(b"half")
    with pytest.raises(pqc.ChannelCut, match="stopped midway"):
        client.send(b"more")
    client.close()
    with pytest.raises(pqc.ChannelCut):
        server.receive(timeout_s=5)


def test_what_a_peer_has_sent_is_received_even_when_it_takes_no_more(pair: Pair) -> None:
    client, server = pair()
    server.send(b"answer")
    server.close()
    with pytest.raises(pqc.ChannelCut, match="while sending"):
        while True:
            client.send(bytes(100_000), timeout_s=5)
    assert client.receive(timeout_s=5) == b"answer"


def test_messages_over_the_bound_are_refused_at_both_ends(pair: Pair) -> None:
    client, server = pair(max_message_bytes=1000)
    client.send(bytes(1000))
    assert len(server.receive(timeout_s=5)) == 1000
    with pytest.raises(ValueError, match="bob takes at most 1000 bytes, got 1001"):
        client.send(bytes(1001))
    client._peer_takes_bytes = 2000
    client.send(bytes(1001))
    with pytest.raises(pqc.ChannelError, match="announced a message of 1001 bytes, expected at most 1000"):
        server.receive(timeout_s=5)


def test_closing_wakes_a_receiver_and_a_blocked_sender(pair: Pair) -> None:
    client, server = pair()
    with ThreadPoolExecutor() as pool:
        receiving = pool.submit(client.receive)
        sending = pool.submit(client.send, bytes(200_000_000))  # the server reads nothing yet
        time.sleep(0.3)
        client.close()
        assert isinstance(sending.exception(timeout=5), pqc.ChannelError)
        assert isinstance(receiving.exception(timeout=5), pqc.ChannelError)
    with pytest.raises(pqc.ChannelCut):
        server.receive(timeout_s=5)


def test_what_is_not_bytes_is_refused(pair: Pair) -> None:
    client, _ = pair()
    with pytest.raises(TypeError):
        client.send("text")  # type: ignore[arg-type]


def test_a_small_message_waits_for_nothing(pair: Pair) -> None:
    """Without TCP_NODELAY the second message of a pair would wait about 40 ms for an acknowledgement."""
    for channel in pair():
        connected = channel._wire._socket
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
