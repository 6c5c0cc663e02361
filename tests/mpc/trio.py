"""Three parties in one process, each on a thread, joined by channels over loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pqc
from mpc.pairwise import PairCommunicator
from pqc.channel import Channel

T = TypeVar("T")


@contextmanager
def trio() -> Iterator[list[PairCommunicator]]:
    identities = [pqc.Identity.create(f"party-{rank}") for rank in range(3)]
    trust = pqc.TrustStore([identity.public for identity in identities])
    channels: list[dict[int, Channel]] = [{}, {}, {}]
    for rank, identity in enumerate(identities):
        with pqc.Listener(identity, trust) as listener:
            for other in range(rank + 1, 3):
                caller = threading.Thread(
                    target=lambda own=rank, who=other, at=listener.address: channels[who].update(
                        {own: pqc.connect(at, identities[who], trust, peer=f"party-{own}", timeout_s=60)}
                    )
                )
                caller.start()
                channels[rank][other] = listener.accept(timeout_s=60)
                caller.join()
    communicators = [PairCommunicator(rank, own, 60.0) for rank, own in enumerate(channels)]
    yield communicators
    for communicator in communicators:
        communicator.close()


def each(function: Callable[..., T], *arguments: Sequence[Any]) -> list[T]:
    """The function at all parties at once, each with its own of the arguments; their results."""
    with ThreadPoolExecutor(3) as threads:
        return list(threads.map(function, *arguments))
