"""Tuples dealt before there is any data: encrypted on each party's disk, each used at most once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgpack
import numpy as np
import torch
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from he.progress import progress
from mpc.dealer.client import DealerClient, split_words
from mpc.dealer.schedule import AHEAD_TUPLES, AHEAD_WORDS, Numbered, words_of
from mpc.dealer.service import pack_words
from mpc.dealer.tuples import Request, draw_derived, draw_free, sent_sizes
from mpc.exchange import tell_all
from mpc.party import Party
from mpc.randomness import Stream, new_key
from mpc.vault import Vault
from pqc.files import new_file

# Tuples marked as used at a time, and thus lost if a crash comes right after.
CLAIM = 64
_TAG_BYTES = 16
_KEYS, _USED, _TUPLES = "stock.keys", "stock.used", "stock.tuples"


@dataclass
class _Kind:
    """Tuples for one request: their numbers, where their records begin, how many are claimed and used."""

    request: Request
    count: int
    number: int
    offset: int
    claimed: int = 0
    used: int = 0


class Stock:
    """The tuples in one folder; `deal` fills it, and computations take from it inside `use`.

    Every party keeps the key of its own streams, sealed to its identity, and what the dealer has sent it:
    corrections at the first party, common parts at all. That is encrypted under a key that only those seals
    hold. Before a tuple is used it is marked as used, durably, a block of `CLAIM` at a time; a computation
    begins behind everything that any party has marked. Whoever can put an older state of the whole folder in
    place can make tuples be used twice: keep no backups of it.
    """

    def __init__(self, vault: Vault, content: dict[str, Any], first: bool) -> None:
        self._vault = vault
        self._content = content
        self._first = first
        wanted = {Request.from_bytes(request): count for request, count in content["wanted"]}
        self._kinds = _kinds(wanted, first)
        self._by_request = {kind.request: kind for kind in self._kinds}
        self._cipher = ChaCha20Poly1305(content["file_key"])
        self._file: BinaryIO | None = None

    @classmethod
    def deal(cls, party: Party, wanted: Mapping[Request, int], folder: Path, *, limit_bytes: int) -> None:
        """Have the dealer deal `wanted`, so many tuples for each request, into each party's own folder.

        What a training wants `mpc.forecast` tells, or `Party.dealt` after one like it. The first party's
        folder takes `stock_bytes(wanted)`, each other's `stock_bytes(wanted, first=False)`, which is never
        more. Raises ValueError at all parties alike where the former is above the limit of some party, where
        they do not want the same, where a folder holds a stock already, or where they compute without a
        helper; OSError where it cannot be
        written, and then leaves no part of it.
        """
        vault = Vault(Path(folder), party.identity, "stock")
        dealer = _helper(party)
        content = cls._agree(party, wanted, vault, limit_bytes)
        stock = cls(vault, content, party.rank == 0)
        vault.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        dealer.restart(content["key"])
        if stock_bytes(wanted, stock._first):
            # It takes its name when it is whole; without the keys, which come last, it is nothing.
            with new_file(vault.folder / _TUPLES) as file:
                stock._fill(file, dealer)
        dealer.restart(new_key())
        tell_all(party, "whole")  # where one party failed, nobody gets further
        vault.save(_USED, msgpack.packb([content["id"], [0] * len(stock._kinds)]))
        vault.save(_KEYS, msgpack.packb(content))

    @classmethod
    @contextmanager
    def use(cls, party: Party, folder: Path) -> Iterator[Self]:
        """Inside, tuples come from the folder as long as it has them, and from the dealer after that.

        Not in trainings with checkpoints, whose steps may be repeated. Raises ValueError at all parties alike
        where some party has no stock or one of another dealing, where another process uses it, and where the
        parties compute without a helper.
        """
        dealer = _helper(party)
        vault = Vault(Path(folder), party.identity, "stock")
        with _alone(vault.folder) as alone:
            there = alone and vault.has(_KEYS)
            stock = cls(vault, msgpack.unpackb(vault.load(_KEYS)), party.rank == 0) if there else None
            own = {"id": stock._content["id"].hex(), "used": stock._claims()} if stock else None
            claims = dict(zip(party.names, tell_all(party, own), strict=True))
            if absent := [name for name, claim in claims.items() if claim is None]:
                raise ValueError(f"no stock that nobody else uses at {', '.join(absent)}")
            if len({claim["id"] for claim in claims.values()}) > 1 or stock is None:
                raise ValueError(f"the stocks are of different dealings: {claims}")
            stock._begin(np.array([claim["used"] for claim in claims.values()]).max(axis=0).tolist())
            dealer.stock = stock
            try:
                yield stock
            finally:
                dealer.stock = None
                if stock._file is not None:
                    stock._file.close()

    def left(self) -> dict[Request, int]:
        """How many tuples for each request are not used yet."""
        return {kind.request: kind.count - kind.used for kind in self._kinds}

    def take(self, request: Request) -> list[torch.Tensor] | None:
        """This party's shares of a tuple that nobody has used, or None. ValueError for a damaged record."""
        kind = self._by_request.get(request)
        if kind is None or kind.used == kind.count:
            return None
        if kind.used == kind.claimed:
            kind.claimed = min(kind.count, kind.used + CLAIM)
            self._save_claims()
        place, kind.used = kind.used, kind.used + 1
        stream = Stream(self._content["key"], kind.number + place)
        drawn = draw_free(request, stream) + ([] if self._first else draw_derived(request, stream))
        return drawn + self._read(kind, place)

    @staticmethod
    def _agree(party: Party, wanted: Mapping[Request, int], vault: Vault, limit_bytes: int) -> dict[str, Any]:
        """The content of the key file, with the same id at all parties."""
        listed = sorted((request.to_bytes(), int(count)) for request, count in wanted.items() if count > 0)
        needed, token = stock_bytes(wanted), new_key()[:16]
        own = [token, msgpack.packb(listed), needed > limit_bytes, vault.has(_KEYS) or vault.has(_TUPLES)]
        said = tell_all(party, own)
        if len({bytes(theirs[1]) for theirs in said}) > 1:
            raise ValueError("the parties do not want the same tuples in their stocks")
        for place, problem in (
            (2, f"{needed} bytes of tuples are more than the limit of"),
            (3, "there is a stock already in the folder of"),
        ):
            if found := [name for name, theirs in zip(party.names, said, strict=True) if theirs[place]]:
                raise ValueError(f"{problem} {', '.join(found)}")
        identifier = b"".join(bytes(theirs[0]) for theirs in said)
        return {"id": identifier, "key": new_key(), "file_key": new_key(), "wanted": listed}

    def _fill(self, file: BinaryIO, dealer: DealerClient) -> None:
        with progress("stocking tuples", sum(kind.count for kind in self._kinds)) as tick:
            for batch in _batches(self._kinds):
                for numbered, parts in zip(batch, dealer.sent(batch), strict=True):
                    if parts:
                        file.write(self._cipher.encrypt(_nonce(numbered.number), pack_words(parts), None))
                    tick()

    def _begin(self, used: list[int]) -> None:
        for kind, count in zip(self._kinds, used, strict=True):
            kind.claimed = kind.used = count
        self._save_claims()
        if self._vault.has(_TUPLES):
            self._file = (self._vault.folder / _TUPLES).open("rb")

    def _claims(self) -> list[int]:
        identifier, claimed = msgpack.unpackb(self._vault.load(_USED))
        if identifier != self._content["id"]:
            raise ValueError(f"{self._vault.folder / _USED} is of another stock")
        return [int(count) for count in claimed]

    def _save_claims(self) -> None:
        claimed = [kind.claimed for kind in self._kinds]
        self._vault.save(_USED, msgpack.packb([self._content["id"], claimed]))

    def _read(self, kind: _Kind, place: int) -> list[torch.Tensor]:
        sizes = sent_sizes(kind.request, self._first)
        if not sizes:
            return []
        if self._file is None:
            raise ValueError(f"{self._vault.folder / _TUPLES} is missing")
        record_bytes = _record_bytes(kind.request, self._first)
        self._file.seek(kind.offset + place * record_bytes)
        sealed = self._file.read(record_bytes)
        try:
            content = self._cipher.decrypt(_nonce(kind.number + place), sealed, None)
        except InvalidTag as error:
            path = self._vault.folder / _TUPLES
            raise ValueError(f"tuple {kind.number + place} in {path} is damaged") from error
        return split_words(np.frombuffer(content, dtype=np.int64).copy(), sizes)


def _helper(party: Party) -> DealerClient:
    if not isinstance(party._dealer, DealerClient):
        raise ValueError("a stock is dealt by the helper, which sharing 'replicated' does without")
    return party._dealer


def stock_bytes(wanted: Mapping[Request, int], first: bool = True) -> int:
    """What so many tuples for each request take on the first party's disk, or on each other party's."""
    return sum(_record_bytes(request, first) * count for request, count in wanted.items())


def _record_bytes(request: Request, first: bool) -> int:
    return 8 * words_of(request, first) + _TAG_BYTES if sent_sizes(request, first) else 0


def _kinds(wanted: Mapping[Request, int], first: bool) -> list[_Kind]:
    numbers = accumulate(wanted.values(), initial=0)
    sizes = (_record_bytes(request, first) * count for request, count in wanted.items())
    offsets = accumulate(sizes, initial=0)
    return [
        _Kind(request, count, number, offset)
        for (request, count), number, offset in zip(wanted.items(), numbers, offsets, strict=False)
    ]


def _batches(kinds: list[_Kind]) -> Iterator[list[Numbered]]:
    """As many at a time as may be on order."""
    batch: list[Numbered] = []
    words = 0
    for kind in kinds:
        for place in range(kind.count):
            if batch and (len(batch) == AHEAD_TUPLES or words + words_of(kind.request) > AHEAD_WORDS):
                yield batch
                batch, words = [], 0
            batch.append(Numbered(kind.number + place, kind.request))
            words += words_of(kind.request)
    if batch:
        yield batch


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "little")


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process is inside for the same folder, as long as this one is."""
    if not folder.exists():
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
