"""Channels for asyncio: the same messages and ends, tasks in place of threads."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

import pqc
from pqc import aio
from pqc.aio import AsyncChannel

Job = Callable[[AsyncChannel, AsyncChannel], Awaitable[None]]
Run = Callable[[Job], None]


@pytest.fixture
def run(alice: pqc.Identity, bob: pqc.Identity, trust: pqc.TrustStore) -> Run:
    """Runs a coroutine with the two ends of a channel, within 30 s."""

    async def with_pair(job: Job) -> None:
        with pqc.Listener(bob, trust) as listener:
            client, server = await asyncio.gather(
                aio.connect(listener.address, alice, trust, peer="bob"), aio.accept(listener, 10)
            )
        async with client, server, asyncio.timeout(30):
            await job(client, server)

    return lambda job: asyncio.run(with_pair(job))


def test_messages_of_every_size_travel_both_ways(run: Run) -> None:
    async def job(client: AsyncChannel, server: AsyncChannel) -> None:
        assert (client.peer, server.peer, client.group) == ("bob", "alice", "X25519MLKEM768")
        assert client.export("x", 16) == server.export("x", 16)
        buffer = bytearray(3_000_000)
        for size in (0, 1, 16376, 16377, 3_000_000):
            message = os.urandom(size)
            _, received = await asyncio.gather(client.send(message), server.receive())
            assert received == message
            _, taken = await asyncio.gather(server.send(message), client.receive_into(buffer))
            assert buffer[:taken] == message
        assert client.bytes_sent == server.bytes_received == server.bytes_sent == client.bytes_received

    run(job)


def test_both_send_first_and_then_receive(run: Run) -> None:
    async def exchange(end: AsyncChannel, message: bytes) -> bytes:
        await end.send(message)
        return await end.receive()

    async def job(client: AsyncChannel, server: AsyncChannel) -> None:
        ours, theirs = os.urandom(20_000_000), os.urandom(20_000_000)
        assert await asyncio.gather(exchange(client, ours), exchange(server, theirs)) == [theirs, ours]

    run(job)


def test_full_duplex_with_two_tasks_on_each_end(run: Run) -> None:
    message = os.urandom(400_000)

    async def send(end: AsyncChannel) -> None:
        for _ in range(20):
            await end.send(message)

    async def receive(end: AsyncChannel) -> None:
        for _ in range(20):
            assert await end.receive() == message

    async def job(client: AsyncChannel, server: AsyncChannel) -> None:
        await asyncio.gather(send(client), send(server), receive(client), receive(server))

    run(job)


def test_a_clean_close_is_told_from_a_cut(run: Run) -> None:
    async def clean(client: AsyncChannel, server: AsyncChannel) -> None:
        await client.send(b"last words")
        await client.close()
        assert await server.receive() == b"last words"
        for _ in range(2):
            with pytest.raises(pqc.ChannelClosed):
                await server.receive()
        with pytest.raises(pqc.ChannelError, match="closed at this end"):
            await client.send(b"x")

    async def cut(client: AsyncChannel, server: AsyncChannel) -> None:
        client._socket.close()
        with pytest.raises(pqc.ChannelCut, match="without a clean end"):
            await server.receive()

    run(clean)
    run(cut)


def test_timeouts_and_cancelled_receives_lose_nothing(run: Run) -> None:
    async def job(client: AsyncChannel, server: AsyncChannel) -> None:
        buffer = bytearray(100_000)
        for receive in (server.receive, lambda timeout_s: server.receive_into(buffer, timeout_s)):
            with pytest.raises(TimeoutError):
                await receive(0.05)
            client._session.write((100_000).to_bytes(8, "big") + b"a" * 9000)
            await client._push(client._session.outgoing())
            with pytest.raises(TimeoutError):
                await receive(0.1)
            client._session.write(b"b" * 91000)
            await client._push(client._session.outgoing())
            assert await receive(5) in (b"a" * 9000 + b"b" * 91000, 100_000)
        assert buffer == b"a" * 9000 + b"b" * 91000

    run(job)


def test_a_peer_that_stops_reading_runs_a_send_out_of_time_and_cuts(run: Run) -> None:
    async def job(client: AsyncChannel, server: AsyncChannel) -> None:
        with pytest.raises(TimeoutError):
            await client.send(bytes(100_000_000), timeout_s=0.3)
        with pytest.raises(pqc.ChannelCut, match="stopped midway"):
            await client.send(b"x")

    run(job)


def test_closing_wakes_a_waiting_receiver(run: Run) -> None:
    async def job(client: AsyncChannel, server: AsyncChannel) -> None:
        waiting = asyncio.create_task(server.receive())
        await asyncio.sleep(0.05)
        await server.close()
        with pytest.raises(pqc.ChannelError, match="closed at this end"):
            await waiting

    run(job)


def test_a_message_over_the_peers_bound_is_refused(run: Run) -> None:
    async def job(client: AsyncChannel, server: AsyncChannel) -> None:
        client._peer_takes_bytes = 10
        with pytest.raises(ValueError, match="bob takes at most 10 bytes, got 11"):
            await client.send(bytes(11))

    run(job)


def test_a_channel_that_was_given_away_says_so(
    pair: Callable[..., tuple[pqc.channel.Channel, pqc.channel.Channel]],  # type: ignore[name-defined]
) -> None:
    client, server = pair()

    async def job() -> None:
        async with AsyncChannel(client) as taken:
            with pytest.raises(pqc.ChannelError, match="given away"):
                client.send(b"x")
            await taken.send(b"from the new owner")
            assert server.receive(timeout_s=5) == b"from the new owner"

    asyncio.run(job())
