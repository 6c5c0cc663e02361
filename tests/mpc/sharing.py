"""All parties of a protocol in one process: dealt tuples, sharings by seed, and openings in lockstep."""

from __future__ import annotations

import functools
import operator
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import torch

from mpc.dealer.tuples import Request, corrections, derived_sizes, draw_derived, draw_free
from mpc.protocols.opening import Array, Part, Protocol
from mpc.randomness import Stream


def dealt(request: Request, parties: int, seed: int = 0) -> list[list[torch.Tensor]]:
    """Every party's shares of all parts."""
    keys = [bytes([seed % 251, rank + 1]) * 16 for rank in range(parties)]
    streams = [Stream(key) for key in keys]
    shares = [draw_free(request, stream) for stream in streams]
    sent = corrections(request, [Stream(key) for key in keys])
    shares[0] += sent
    for rank in range(1, parties):
        shares[rank] += draw_derived(request, streams[rank]) + sent[len(derived_sizes(request)) :]
    return shares


def words(parts: Sequence[torch.Tensor]) -> list[Array]:
    return [part.numpy().view(np.uint64) for part in parts]


def shared(values: Array, parties: int, seed: int = 0) -> list[Array]:
    """Additive shares of uint64 words."""
    stream = Stream(bytes([255, seed % 251]) * 16)
    shares = words([stream.words(values.shape) for _ in range(parties - 1)])
    return [functools.reduce(operator.sub, shares, values), *shares]


def run(protocols: Sequence[Protocol[Any]], record: list[list[Array]] | None = None) -> list[Any]:
    """One protocol a party, to the end: their results. What is opened each time is added to `record`."""
    asked = [next(protocol) for protocol in protocols]
    while True:
        opened = [_combine(parts) for parts in zip(*asked, strict=True)]
        if record is not None:
            record.append(opened)
        results, asked = [], []
        for protocol in protocols:
            _send(protocol, [value.copy() for value in opened], asked, results)
        if results:
            assert not asked
            return results


def _send(
    protocol: Generator[Any, Any, Any], opened: list[Array], asked: list[Any], results: list[Any]
) -> None:
    try:
        asked.append(protocol.send(opened))
    except StopIteration as stop:
        results.append(stop.value)


def _combine(parts: Sequence[Part]) -> Array:
    shares = [part.share for part in parts]
    return functools.reduce(operator.xor if parts[0].bitwise else operator.add, shares)
