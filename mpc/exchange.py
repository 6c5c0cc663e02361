"""Public values that the parties tell each other outside the shares: counts, categories, masked points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mpc.party import Party
from mpc.transport import ChannelCommunicator

Bytes = npt.NDArray[np.uint8]
# Rows in one message of a long table: a peer is never silent for longer than it works on so many.
CHUNK_ROWS = 1024


def tell_all(party: Party, value: object) -> list[Any]:
    """Everybody's value, in rank order; plain values, lists and dicts. All parties learn all of them."""
    communicator = _communicator(party)
    return [
        communicator.broadcast_obj(value if rank == party.rank else None, src=rank)
        for rank in range(party.world_size)
    ]


def swap(
    party: Party, chunks: Iterable[Bytes], to: Sequence[int], rows: Mapping[int, int], width: int
) -> dict[int, Bytes]:
    """Send a table in `chunks` to the ranks `to`; take one of shape (rows[rank], width) from each in `rows`.

    A chunk holds CHUNK_ROWS rows, the last one the rest; all sides know the number of rows. Chunks are made,
    sent and received in turn, so that work overlaps and neither side fills the other's buffers.
    """
    communicator = _communicator(party)
    received: dict[int, list[torch.Tensor]] = {rank: [] for rank in rows}
    outgoing = chain(chunks, repeat(None))
    for step in count():
        chunk = next(outgoing)
        expected = {rank: min(CHUNK_ROWS, total - step * CHUNK_ROWS) for rank, total in rows.items()}
        if chunk is None and max(expected.values(), default=0) <= 0:
            break
        pending = [] if chunk is None else [communicator.isend(torch.from_numpy(chunk), rank) for rank in to]
        for rank, height in expected.items():
            if height > 0:
                empty = torch.empty((height, width), dtype=torch.uint8)
                received[rank].append(communicator.recv(empty, rank))
        for sent in pending:
            sent.wait()
    return {rank: _stack(parts, width) for rank, parts in received.items()}


def _stack(parts: list[torch.Tensor], width: int) -> Bytes:
    return torch.cat(parts).numpy() if parts else np.empty((0, width), dtype=np.uint8)


def _communicator(party: Party) -> ChannelCommunicator:
    return party._communicator
