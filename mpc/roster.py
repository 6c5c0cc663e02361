"""Who takes part in a computation and where: public facts that all parties hold alike, in a TOML file.

[parties.hospital-a]                 # ranks count in the order of the file
address = "10.0.0.1:7001"
fingerprint = "3f2a-91c0-..."        # 16 groups of 4 hexadecimal digits, compared by telephone

[parties.hospital-b]
...

[dealer.helper]                      # for two parties, and for three that share additively
...
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pqc import TrustStore

MAX_PARTIES = 3
MAX_FILE_BYTES = 1 << 20
Address = tuple[str, int]


@dataclass(frozen=True)
class Member:
    """One organisation: its pinned name and fingerprint, and where it listens."""

    name: str
    fingerprint: str
    address: Address

    def to_toml(self, kind: str) -> str:
        """Its block in the file; `kind` is "parties" or "dealer"."""
        host, port = self.address
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f'[{kind}.{self.name}]\naddress = "{where}"\nfingerprint = "{self.fingerprint}"\n'


@dataclass(frozen=True)
class Roster:
    """The computing parties in rank order, and the dealer (None for one party, or for three without)."""

    parties: tuple[Member, ...]
    dealer: Member | None = None

    def __post_init__(self) -> None:
        names = [member.name for member in self.members]
        if not 1 <= len(self.parties) <= MAX_PARTIES:
            raise ValueError(f"a roster has 1 to {MAX_PARTIES} parties, got {len(self.parties)}")
        if len(set(names)) != len(names):
            raise ValueError(f"every member needs a name of its own, got {names}")
        if len(self.parties) == 2 and self.dealer is None:
            raise ValueError("2 parties need a dealer, and the roster names none")
        self.trust()

    @property
    def members(self) -> tuple[Member, ...]:
        """Parties, then the dealer."""
        return self.parties if self.dealer is None else (*self.parties, self.dealer)

    @property
    def names(self) -> tuple[str, ...]:
        """The parties' names in rank order."""
        return tuple(party.name for party in self.parties)

    def member(self, name: str) -> Member:
        """Raises ValueError for a name that is not in the roster."""
        for member in self.members:
            if member.name == name:
                return member
        raise ValueError(f"{name!r} is not in the roster {[member.name for member in self.members]}")

    def trust(self) -> TrustStore:
        """Every member pinned; nobody else is let in."""
        store = TrustStore()
        for member in self.members:
            store.pin(member.name, member.fingerprint)
        return store

    def digest(self) -> str:
        """SHA-256 over all of it, hexadecimal: equal where the rosters are."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def to_toml(self) -> str:
        """The text of parties.toml, which all parties must have alike."""
        blocks = [party.to_toml("parties") for party in self.parties]
        return "\n".join(blocks if self.dealer is None else [*blocks, self.dealer.to_toml("dealer")])

    @classmethod
    def load(cls, path: Path) -> Roster:
        """Read a roster file. Raises ValueError saying what in it is not as expected."""
        content = path.read_bytes()
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"roster {path}: expected at most {MAX_FILE_BYTES} bytes, got {len(content)}")
        try:
            return cls.from_toml(content.decode())
        except ValueError as error:
            raise ValueError(f"roster {path}: {error}") from None

    @classmethod
    def from_toml(cls, text: str) -> Roster:
        """Raises ValueError for anything but [parties.NAME] and at most one [dealer.NAME]."""
        tables = tomllib.loads(text)
        if not set(tables) <= {"parties", "dealer"} or "parties" not in tables:
            raise ValueError(f"expected [parties.NAME] and [dealer.NAME], got {sorted(tables)}")
        dealers = _members(tables.get("dealer", {}), "dealer")
        if len(dealers) > 1:
            raise ValueError(f"expected one dealer, got {[dealer.name for dealer in dealers]}")
        return cls(tuple(_members(tables["parties"], "parties")), dealers[0] if dealers else None)


def parse_address(text: object) -> Address:
    """("10.0.0.1", 7001) from "10.0.0.1:7001"; an IPv6 address stands in brackets."""
    host, _, port = str(text).rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"address: expected HOST:PORT with a port in 1..65535, got {text!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _members(table: Any, kind: str) -> list[Member]:
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise ValueError(f"expected tables [{kind}.NAME], got {table!r}")
    members = []
    for name, entry in table.items():
        if set(entry) != {"address", "fingerprint"}:
            raise ValueError(f"[{kind}.{name}]: expected address and fingerprint, got {sorted(entry)}")
        members.append(Member(name, entry["fingerprint"], parse_address(entry["address"])))
    return members
