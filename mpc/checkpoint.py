"""Survive a crash: all that a training depends on, sealed to the party's own identity, every few steps.

A checkpoint holds the shares *and* the keys of the streams that all masks of the next steps come from, so
that a training that goes on from it takes the very same steps: same shares, same messages, same weights, bit
for bit. Steps that had been taken already are only ever repeated with the values that they had: the shares
of the data are part of the checkpoint, and another program, other settings or other versions are refused. A
mask thus never covers two different values. Before and after the training the streams have other keys.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from typing import Any, NamedTuple, Self

import msgpack
import numpy as np
import torch

from mpc import engine
from mpc.dealer.schedule import Schedule
from mpc.exchange import tell_all
from mpc.party import Party
from mpc.randomness import new_key
from mpc.survival import Survival
from mpc.vault import Vault
from pqc.checks import checked_name

# Facts that may change between a crash and going on: addresses are part of the roster.
_MAY_CHANGE = ("roster",)
_SHARE = 1


class Start(NamedTuple):
    """Where a training begins: steps already taken, and what it works on."""

    step: int
    data: Any
    state: Any


class Checkpoints:
    """One training's checkpoints at one party: `begin`, then `after` every step, and `end`.

    Files in the folder: NAME.data with the shares of the data, once, and NAME.STEP for the last two
    checkpoints, which are enough: nobody gets further than one checkpoint ahead of another party. They are
    age files (0600) that only this identity opens, signed by it, and replaced whole or not at all. All
    numbers of steps are public.
    """

    def __init__(self, party: Party, name: str, survival: Survival) -> None:
        self._party = party
        self._name = checked_name(name)
        self._survival = survival
        self._vault = Vault(survival.folder, party.identity, "checkpoint")
        self._keys: engine.SharedKeys | None = None
        self._dealer_key = b""
        self._training = b""

    @classmethod
    def of(cls, party: Party, name: str) -> Self | None:
        """The checkpoints of the training `name`, or None if this run keeps none."""
        return None if party.survival is None else cls(party, name, party.survival)

    def begin(self, settings: Mapping[str, object], data: Any, state: Any) -> Start:
        """Keep `data` and the first `state`, or go on from the last checkpoint that all parties have.

        Both are lists, dicts and None with plain values and secret tensors in them. All parties get the same
        step, and raise ValueError alike where files of that name are in the way, where some party lacks what
        the others have, and where settings, program or versions are not those of the checkpoint.
        """
        fixed = self._fixed(settings)
        stored = self._load_data() if self._survival.resume else None
        step = self._agree_on_step(stored, fixed)
        if step is None or stored is None:
            return self._begin_anew(fixed, data, state)
        self._training, kept = stored["training"], stored["data"]
        self._keys = engine.SharedKeys(*stored["keys"])
        self._dealer_key = stored["dealer_key"]
        content = _unpack(self._vault.load(self._state_file(step)))
        for later in [other for other in self._steps() if other > step]:
            self._vault.remove(self._state_file(later))
        self._party._dealer.restart(self._dealer_key, Schedule.from_bytes(content["schedule"]), stocked=False)
        engine.set_streams(self._keys, step)
        return Start(step, kept, content["state"])

    def after(self, step: int, state: Callable[[], Any]) -> None:
        """Save the state after `step` steps, if it is time to.

        Raises OSError, with older checkpoints intact, where it cannot be written.
        """
        if step % self._survival.every == 0:
            self._save(step, state())

    @contextmanager
    def steps(self) -> Iterator[None]:
        """Around the steps. Where they end early, this party's channels close and it computes no more.

        Its streams are then those of steps that will be taken again from a checkpoint: whatever else it
        computed would put the same masks over other values.
        """
        try:
            yield
        except BaseException:
            self._party.abandon()
            raise

    def end(self) -> None:
        """The training is over: what comes next draws from fresh keys."""
        self._party._dealer.restart(new_key())
        engine.set_streams(self._party.new_keys())

    def _begin_anew(self, fixed: dict[str, str], data: Any, state: Any) -> Start:
        self._remove_all()
        self._keys, self._dealer_key = self._party.new_keys(), new_key()
        self._training = hashlib.blake2b(self._keys.coins, digest_size=16).digest()
        self._party._dealer.restart(self._dealer_key, stocked=False)
        content = {
            "training": self._training,
            "fixed": fixed,
            "keys": list(astuple(self._keys)),
            "dealer_key": self._dealer_key,
            "data": data,
        }
        self._vault.save(f"{self._name}.data", _pack(content))
        self._save(0, state)
        return Start(0, data, state)

    def _save(self, step: int, state: Any) -> None:
        if self._keys is None:
            raise ValueError("begin comes before after")
        _read_all(state)
        content = {
            "training": self._training,
            "schedule": self._party._dealer.schedule(),
            "state": state,
        }
        self._vault.save(self._state_file(step), _pack(content))
        for old in self._steps()[:-2]:
            self._vault.remove(self._state_file(old))
        engine.set_streams(self._keys, step)

    def _agree_on_step(self, stored: dict[str, Any] | None, fixed: dict[str, str]) -> int | None:
        """The last step that all have; None to begin anew."""
        own = {
            "resume": self._survival.resume,
            "training": stored["training"].hex() if stored else "",
            "steps": self._usable_steps(stored),
            "present": self._vault.has(f"{self._name}.data"),
            "changed": _differences(stored["fixed"], fixed) if stored else [],
        }
        claims = dict(zip(self._party.names, tell_all(self._party, own), strict=True))
        if len({claim["resume"] for claim in claims.values()}) > 1:
            raise ValueError(f"all parties must resume or none: {_each(claims, 'resume')}")
        if not self._survival.resume:
            if there := [name for name, claim in claims.items() if claim["present"]]:
                raise ValueError(
                    f"checkpoints of {self._name!r} exist at {', '.join(there)}: resume them or remove them"
                )
            return None
        return self._common_step(claims)

    def _common_step(self, claims: dict[str, dict[str, Any]]) -> int | None:
        if changed := {name: claim["changed"] for name, claim in claims.items() if claim["changed"]}:
            raise ValueError(f"the checkpoint of {self._name!r} is of another training: {changed}")
        common: set[int] = set.intersection(*(set(claim["steps"]) for claim in claims.values()))
        if common and len({claim["training"] for claim in claims.values()}) == 1:
            return max(common)
        # A crash while the very first checkpoint was written leaves nothing beyond step 0 anywhere.
        if not any(step for claim in claims.values() for step in claim["steps"]):
            return None
        raise ValueError(
            f"the parties have no checkpoint of {self._name!r} in common: steps {_each(claims, 'steps')}"
        )

    def _load_data(self) -> dict[str, Any] | None:
        name = f"{self._name}.data"
        return _unpack(self._vault.load(name)) if self._vault.has(name) else None

    def _usable_steps(self, stored: dict[str, Any] | None) -> list[int]:
        """Steps with a whole checkpoint of the stored training; a file of another one is in the way."""
        if stored is None:
            return []
        return [step for step in self._steps() if self._is_of(stored["training"], step)]

    def _is_of(self, training: bytes, step: int) -> bool:
        found: bytes = _unpack(self._vault.load(self._state_file(step)))["training"]
        return found == training

    def _fixed(self, settings: Mapping[str, object]) -> dict[str, str]:
        """What must be the same when the training goes on, as text."""
        agreed = {name: fact for name, fact in self._party.agreed.items() if name not in _MAY_CHANGE}
        own = {name: repr(value) for name, value in settings.items()}
        return agreed | own | {"parties": repr(self._party.names), "every": str(self._survival.every)}

    def _steps(self) -> list[int]:
        pattern = re.compile(re.escape(self._name) + r"\.(\d+)")
        matches = (pattern.fullmatch(name) for name in self._vault.names())
        return sorted(int(match[1]) for match in matches if match)

    def _state_file(self, step: int) -> str:
        return f"{self._name}.{step}"

    def _remove_all(self) -> None:
        for step in self._steps():
            self._vault.remove(self._state_file(step))


def _differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [
        f"{name} was {before.get(name, 'missing')}, is {now.get(name, 'missing')}"
        for name in sorted(set(before) | set(now))
        if before.get(name) != now.get(name)
    ]


def _each(claims: dict[str, dict[str, Any]], what: str) -> str:
    return ", ".join(f"{claim[what]} at {name}" for name, claim in claims.items())


def _read_all(content: Any) -> None:
    """Read the share of every secret tensor in it.

    That may take tuples. They must be taken before the schedule is noted down, or who goes on from there
    would take the same ones for something else.
    """
    if isinstance(content, list | tuple | dict):
        for part in content.values() if isinstance(content, dict) else content:
            _read_all(part)
    elif engine.is_shared(content):
        engine.share_of(content)


def _pack(content: object) -> bytes:
    """Plain values, lists, dicts, None, and secret tensors as this party's shares."""

    def share(value: object) -> msgpack.ExtType:
        words, scale = engine.share_of(value)
        raw = words.contiguous().numpy().astype("<i8", copy=False).tobytes()
        return msgpack.ExtType(_SHARE, msgpack.packb([list(words.shape), scale, raw]))

    packed: bytes = msgpack.packb(content, default=share)
    return packed


def _unpack(packed: bytes) -> Any:
    def share(code: int, data: bytes) -> Any:
        shape, scale, raw = msgpack.unpackb(data)
        words = np.frombuffer(raw, dtype="<i8").astype(np.int64).reshape(shape)
        return engine.from_share(torch.from_numpy(words), scale)

    return msgpack.unpackb(packed, ext_hook=share, strict_map_key=False)
