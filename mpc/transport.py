"""CrypTen's communicator over authenticated post-quantum channels, one to each other party."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgpack
import torch
from torch.distributed import ReduceOp

from pqc import ChannelClosed, ChannelCut, ChannelError
from pqc.channel import Channel

# A message up to this size fits the socket buffers, so that sending it never waits for the peer to read.
_INLINE_BYTES = 1 << 14
_SIZE_EXTENSION = 1
# How long to look, once somebody is lost, who else is: the end of a connection may still be on its way.
_LOOK_S = 0.5
# Messages to take in on the way to the end of a connection; then its peer counts as there.
_LOOK_MESSAGES = 256

Tensors = torch.Tensor | list[torch.Tensor]


class PartyLost(ConnectionError):
    """Another party is gone or silent; says who and how it was noticed."""


def lost(who: str, error: Exception, others: Iterable[Channel] = ()) -> PartyLost:
    """The error to raise; it also names the peers of `others` that are gone, as one of them may be the cause.

    A party that loses another gives up and is then lost to the rest, who may see that first. What `others`
    still had to say is thrown away.
    """
    deadline = time.monotonic() + _LOOK_S
    gone = [channel.peer for channel in others if _gone(channel, deadline)]
    also = f"; gone as well: {', '.join(gone)}" if gone else ""
    return PartyLost(f"lost {who}: {error}{also}")


def _gone(channel: Channel, deadline: float) -> bool:
    try:
        for _ in range(_LOOK_MESSAGES):
            channel.receive(timeout_s=max(0.0, deadline - time.monotonic()))
    except (ChannelClosed, ChannelCut):
        return True
    except (ChannelError, TimeoutError):
        return False
    return False


class _Pending:
    """The handle of `isend` and `irecv`."""

    def __init__(self, finish: Callable[[], object]) -> None:
        self._finish = finish

    def wait(self) -> None:
        self._finish()


class ChannelCommunicator:
    """The collectives that CrypTen calls, over channels keyed by rank.

    Every message is the little-endian int64 words of a tensor whose shape both sides know; a message of
    another length means that the programs differ, and raises ValueError. `rounds` counts the steps in which
    this party waits for others. A peer that is gone, or sends nothing for `timeout_s`, raises PartyLost.
    """

    def __init__(self, rank: int, channels: dict[int, Channel], timeout_s: float) -> None:
        if set(channels) | {rank} != set(range(len(channels) + 1)):
            raise ValueError(f"rank {rank} needs channels to all other ranks, got {sorted(channels)}")
        self._rank = rank
        self._channels = channels
        self._timeout_s = timeout_s
        self._senders = {peer: ThreadPoolExecutor(1, f"send-{peer}") for peer in channels}
        self._last_sent = {peer: _done() for peer in channels}
        self._name = f"rank{rank}"
        self.rounds = 0
        self._reset_at: dict[str, int] = {}
        self._others: list[Channel] = []

    def watch(self, channel: Channel) -> None:
        """A channel beside those to the parties, whose peer is named if it is gone when a party is lost."""
        self._others.append(channel)

    def send(self, tensor: torch.Tensor, dst: int) -> None:
        """This tensor to party `dst`; returns when it is on its way."""
        self._send(dst, tensor).result()

    def recv(self, tensor: torch.Tensor, src: int | None = None) -> torch.Tensor:
        """A tensor of the shape of `tensor` from party `src`."""
        if src is None:
            raise ValueError("say whom to receive from: src is a rank, got None")
        self.rounds += 1
        return self._receive(src, tensor)

    def isend(self, tensor: torch.Tensor, dst: int) -> _Pending:
        """Begin to send; `wait()` on the result returns when it is on its way."""
        sent = self._send(dst, tensor)
        return _Pending(sent.result)

    def irecv(self, tensor: torch.Tensor, src: int) -> _Pending:
        """Promise to receive into `tensor`; it is waited for at `wait()`, not before."""
        return _Pending(lambda: tensor.copy_(self.recv(tensor, src)))

    def all_reduce(self, input: Tensors, op: Any = ReduceOp.SUM, batched: bool = False) -> Tensors:
        """Combine everybody's tensors; a list (`batched`) travels as one message."""
        combine = _combiner(op)
        parts = self._exchange(_flatten(input))
        return _unflatten(_fold(combine, parts), input)

    def reduce(
        self, input: Tensors, dst: int, op: Any = ReduceOp.SUM, batched: bool = False
    ) -> Tensors | None:
        """Combine everybody's tensors at party `dst`; None at the others."""
        combine = _combiner(op)
        parts = self._collect(_flatten(input), dst)
        return _unflatten(_fold(combine, parts), input) if parts else None

    def all_gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Everybody's tensor, in rank order, at all parties; one round."""
        return self._exchange(tensor)

    def gather(self, tensor: torch.Tensor, dst: int) -> Sequence[torch.Tensor | None]:
        """Everybody's tensor, in rank order, at party `dst`; [None] at the others."""
        return self._collect(tensor, dst) or [None]

    def scatter(
        self, scatter_list: list[torch.Tensor], src: int, size: Any = None, device: Any = None
    ) -> torch.Tensor:
        """Party `src` gives each rank its element; the others know the shape by `size` or their element."""
        if src == self._rank:
            self._wait_all([self._send(peer, scatter_list[peer]) for peer in self._channels])
            return scatter_list[self._rank]
        like = scatter_list[self._rank] if size is None else torch.empty(size, dtype=torch.long)
        return self.recv(like, src)

    def broadcast(self, input: Tensors, src: int, group: Any = None, batched: bool = False) -> Tensors:
        """Party `src`'s values, in place as CrypTen expects, and returned."""
        for tensor in input if isinstance(input, list) else [input]:
            if src == self._rank:
                self._wait_all([self._send(peer, tensor) for peer in self._channels])
            else:
                tensor.copy_(self.recv(tensor, src))
        return input

    def barrier(self) -> None:
        """Return once all parties are here."""
        self._exchange(torch.zeros(1, dtype=torch.long))

    def send_obj(self, obj: object, dst: int, group: Any = None) -> None:
        """Plain values, lists, dicts and torch.Size only: nothing that arrives is ever unpickled."""
        self._guard(dst, lambda channel: channel.send(_pack(obj)))

    def recv_obj(self, src: int, group: Any = None) -> Any:
        """What `send_obj` sent from party `src`; ValueError if it is no plain value."""
        self.rounds += 1
        data = self._guard(src, lambda channel: channel.receive(timeout_s=self._timeout_s))
        try:
            return _unpack(data)
        except (ValueError, TypeError) as error:
            who = self._channels[src].peer
            raise ValueError(f"{who} sent {len(data)} bytes that are no plain value: {error}") from error

    def broadcast_obj(self, obj: object, src: int, group: Any = None) -> Any:
        """Party `src`'s plain value, at all parties."""
        if src != self._rank:
            return self.recv_obj(src)
        for peer in self._channels:
            self.send_obj(obj, peer)
        return obj

    def swap_bytes(self, messages: dict[int, bytes]) -> dict[int, bytes]:
        """Send each rank its message, no longer than 16 KiB, and give what came from each; one round."""
        self.rounds += 1
        for peer, message in messages.items():
            self._guard(peer, functools.partial(Channel.send, data=message))
        return {
            peer: self._guard(peer, lambda channel: channel.receive(timeout_s=self._timeout_s))
            for peer in messages
        }

    def get_world_size(self) -> int:
        """How many parties compute."""
        return len(self._channels) + 1

    def get_rank(self) -> int:
        """This party's place, from 0."""
        return self._rank

    def set_name(self, name: str) -> None:
        """What this party is called in the log."""
        self._name = name

    def get_name(self) -> str:
        """What this party is called in the log; at first "rank0" and so on."""
        return self._name

    @property
    def bytes_sent(self) -> int:
        """Bytes to the other computing parties, message framing included."""
        return sum(channel.bytes_sent for channel in self._channels.values())

    @property
    def bytes_received(self) -> int:
        """Bytes from the other computing parties, message framing included."""
        return sum(channel.bytes_received for channel in self._channels.values())

    def get_communication_stats(self) -> dict[str, int]:
        """CrypTen's statistics since they were reset; its "bytes" are sent and received together."""
        now = {"rounds": self.rounds, "bytes": self.bytes_sent + self.bytes_received}
        return {name: value - self._reset_at.get(name, 0) for name, value in now.items()}

    def reset_communication_stats(self) -> None:
        """Count from here on."""
        self._reset_at = {}
        self._reset_at = self.get_communication_stats()

    def print_communication_stats(self) -> None:
        """Log them, as CrypTen does."""
        stats = self.get_communication_stats()
        logging.getLogger("mpc").info("%s: %d rounds, %d bytes", self._name, stats["rounds"], stats["bytes"])

    def close(self) -> None:
        """Wait for what is on its way, then close the channels to all parties."""
        for sender in self._senders.values():
            sender.shutdown(wait=True)
        for channel in self._channels.values():
            channel.close()

    def _exchange(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Everybody's tensor, in rank order, none of them the own one itself; one round."""
        if not self._channels:
            return [tensor.clone()]
        self.rounds += 1
        sent = [self._send(peer, tensor) for peer in self._channels]
        parts = {peer: self._receive(peer, tensor) for peer in self._channels}
        self._wait_all(sent)
        parts[self._rank] = tensor.clone()
        return [parts[rank] for rank in sorted(parts)]

    def _collect(self, tensor: torch.Tensor, dst: int) -> list[torch.Tensor]:
        """Everybody's tensor at `dst`, nothing elsewhere; one round."""
        if dst != self._rank:
            self._send(dst, tensor).result()
            return []
        parts = {peer: self._receive(peer, tensor) for peer in self._channels}
        self.rounds += 1 if self._channels else 0
        parts[self._rank] = tensor.clone()
        return [parts[rank] for rank in sorted(parts)]

    def _send(self, peer: int, tensor: torch.Tensor) -> Future[None]:
        """Large messages are sent beside the receiving, or two parties that both send would wait for ever."""
        data = tensor.detach().contiguous().numpy().data.cast("B") if tensor.nelement() else b""

        def send() -> None:
            self._guard(peer, lambda channel: channel.send(data))

        # A small message waits for a large one before it: nothing may overtake.
        if len(data) > _INLINE_BYTES or not self._last_sent[peer].done():
            self._last_sent[peer] = self._senders[peer].submit(send)
            return self._last_sent[peer]
        send()
        return _done()

    def _wait_all(self, sent: list[Future[None]]) -> None:
        for future in sent:
            future.result()

    def _receive(self, peer: int, like: torch.Tensor) -> torch.Tensor:
        words = torch.empty(like.shape, dtype=like.dtype)
        expected = words.nelement() * words.element_size()
        if expected <= _INLINE_BYTES:
            data = self._guard(peer, lambda channel: channel.receive(timeout_s=self._timeout_s))
            self._check_length(peer, len(data), expected)
            if expected:
                words.numpy().data.cast("B")[:] = data
            return words
        # A large message goes straight to its place.
        buffer = words.numpy().data.cast("B")
        try:
            received = self._guard(peer, lambda channel: channel.receive_into(buffer, self._timeout_s))
        except ValueError:  # longer than the buffer, and still there
            received = len(self._guard(peer, lambda channel: channel.receive(timeout_s=self._timeout_s)))
        self._check_length(peer, received, expected)
        return words

    def _check_length(self, peer: int, received: int, expected: int) -> None:
        if received != expected:
            raise ValueError(
                f"{self._channels[peer].peer} sent {received} bytes where {expected} were expected: "
                "the parties' programs or data shapes differ"
            )

    def _guard(self, peer: int, use: Callable[[Channel], Any]) -> Any:
        channel = self._channels[peer]
        try:
            return use(channel)
        except (ChannelError, TimeoutError) as error:
            others = [other for other in (*self._others, *self._channels.values()) if other is not channel]
            raise lost(f"{channel.peer} (rank {peer})", error, others) from error


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


def _combiner(op: Any) -> Callable[..., torch.Tensor]:
    combiners: dict[Any, Callable[..., torch.Tensor]] = {
        ReduceOp.SUM: torch.add,
        ReduceOp.BXOR: torch.bitwise_xor,
        ReduceOp.BAND: torch.bitwise_and,
        ReduceOp.BOR: torch.bitwise_or,
        ReduceOp.MAX: torch.maximum,
        ReduceOp.MIN: torch.minimum,
        ReduceOp.PRODUCT: torch.mul,
    }
    if op not in combiners:
        raise ValueError(f"reduction {op} is none of {[str(known) for known in combiners]}")
    return combiners[op]


def _fold(combine: Callable[..., torch.Tensor], parts: list[torch.Tensor]) -> torch.Tensor:
    """All parts combined in order, in the place of the first one."""
    return functools.reduce(lambda total, part: combine(total, part, out=total), parts)


def _flatten(tensors: Tensors) -> torch.Tensor:
    if isinstance(tensors, list) and len(tensors) != 1:
        return torch.cat([tensor.reshape(-1) for tensor in tensors])
    return tensors[0].reshape(-1) if isinstance(tensors, list) else tensors


def _unflatten(flat: torch.Tensor, like: Tensors) -> Tensors:
    if isinstance(like, list):
        parts = torch.split(flat, [tensor.nelement() for tensor in like])
        return [part.reshape(tensor.shape) for part, tensor in zip(parts, like, strict=True)]
    return flat


def _pack(obj: object) -> bytes:
    def size(value: object) -> object:
        if isinstance(value, torch.Size):
            return msgpack.ExtType(_SIZE_EXTENSION, msgpack.packb(list(value)))
        if isinstance(value, tuple):
            return list(value)
        raise TypeError(
            f"cannot send a {type(value).__name__}: only plain values, lists, dicts and torch.Size"
        )

    packed: bytes = msgpack.packb(obj, default=size, strict_types=True)
    return packed


def _unpack(data: bytes) -> Any:
    def extension(code: int, content: bytes) -> torch.Size:
        if code != _SIZE_EXTENSION:
            raise ValueError(f"unknown type {code}")
        return torch.Size(msgpack.unpackb(content))

    return msgpack.unpackb(data, ext_hook=extension, strict_map_key=False)
