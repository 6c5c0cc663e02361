"""The dealer: a helper process that deals correlated randomness and sees no data.

Trust: the dealer must not collude with a computing party. It learns the sequence of operations and their
shapes, never an operand; a computing party learns its own shares only. (Beaver, CRYPTO 1991, with the seed
compression of the commodity model.)
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgpack
import torch

from mpc.dealer.schedule import Numbered, words_of
from mpc.dealer.tuples import Request, corrections
from mpc.randomness import KEY_BYTES, Stream
from pqc import ChannelClosed
from pqc.channel import Channel
from pqc.checks import Buffer

# In place of an order: what comes next is a new key from every party.
NEW_KEYS = b"new keys"


def serve(channels: Sequence[Channel]) -> None:
    """Deal for the parties behind `channels`, given in rank order, until the first one closes.

    Every party begins by sending the 32-byte key of the streams it shares with the dealer. From then on the
    first party sends orders and gets the corrections and common parts, one message a tuple, in the order of
    their numbers; of tuples with common parts each other party gets these, in one message and the same order.
    Where it sends NEW_KEYS instead, every party sends another key, and numbers start again. While a message
    is encrypted and sent, the next one is dealt.
    """
    pool = ThreadPoolExecutor(len(channels), "send")
    outboxes = [_Outbox(channel, pool) for channel in channels]
    try:
        _serve(channels, outboxes)
        for outbox in outboxes:
            outbox.flush()
    finally:
        # After an error nobody waits for messages that a party may never take.
        pool.shutdown(wait=False)


class _Outbox:
    """Messages on their way to one party, in order: one is sent while the next one is made."""

    def __init__(self, channel: Channel, pool: ThreadPoolExecutor) -> None:
        self._channel, self._pool = channel, pool
        self._sent: Future[None] | None = None

    def send(self, message: Buffer) -> None:
        """Raises what sending the message before raised."""
        self.flush()
        self._sent = self._pool.submit(self._channel.send, message)

    def flush(self) -> None:
        """Wait for the last message to be on its way."""
        if self._sent is not None:
            self._sent.result()


def _serve(channels: Sequence[Channel], outboxes: Sequence[_Outbox]) -> None:
    keys = [_receive_key(channel) for channel in channels]
    first, last_number = channels[0], -1
    while True:
        try:
            message = first.receive()
        except ChannelClosed:
            return
        if message == NEW_KEYS:
            keys, last_number = [_receive_key(channel) for channel in channels], -1
            continue
        orders = unpack_orders(message)
        for number, request in orders:
            if number <= last_number:
                raise ValueError(f"tuple {number} was dealt before: the last number was {last_number}")
            last_number = number
            streams = [Stream(key, number) for key in keys]
            message = pack_words(corrections(request, streams))
            outboxes[0].send(message)
            if common := 8 * words_of(request, first=False):
                for outbox in outboxes[1:]:
                    outbox.send(memoryview(message)[-common:])


def pack_orders(orders: Sequence[Numbered]) -> bytes:
    """The bytes of an order: msgpack of pairs (number, request)."""
    packed: bytes = msgpack.packb([(number, request.to_bytes()) for number, request in orders])
    return packed


def unpack_orders(data: bytes) -> list[Numbered]:
    """Raises ValueError on anything but a list of numbered requests."""
    try:
        orders = [(number, bytes(request)) for number, request in msgpack.unpackb(data, strict_map_key=True)]
        if any(type(number) is not int or not 0 <= number < 1 << 63 for number, _ in orders):
            raise ValueError("a tuple's number is not in [0, 2^63)")
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"not an order for correlated randomness ({len(data)} bytes): {error}") from error
    return [Numbered(number, Request.from_bytes(request)) for number, request in orders]


def pack_words(parts: Sequence[torch.Tensor]) -> bytes:
    """The int64 words of `parts`, one after the other."""
    return b"".join(bytes(part.contiguous().numpy().data) for part in parts)


def _receive_key(channel: Channel) -> bytes:
    key = channel.receive()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{channel.peer} sent a stream key of {len(key)} bytes, expected {KEY_BYTES}")
    return key
