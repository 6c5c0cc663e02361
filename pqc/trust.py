"""Whom I trust: names with pinned fingerprints. Whoever is not in it is refused.

The file is TOML that people can read and write:

    [peers]
    "hospital-a" = "3f2a-91c0-..."     # 16 groups of 4 hexadecimal digits

    [revoked]
    "77aa-0b1c-..." = "laptop stolen"  # never trusted again, whatever its name
"""

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from pqc.checks import checked_name
from pqc.errors import PeerRefused
from pqc.files import replace_file
from pqc.public import PublicIdentity
from pqc.statement import Revocation, Rotation, checked_reason

FINGERPRINT = re.compile(r"[0-9a-f]{4}(-[0-9a-f]{4}){15}")
MAX_FILE_BYTES = 16 * 1024 * 1024


class TrustStore:
    """Pinned peers by name, and revoked fingerprints."""

    __slots__ = ("_fingerprints", "_revoked")

    def __init__(self, peers: Iterable[PublicIdentity] = ()) -> None:
        self._fingerprints: dict[str, str] = {}
        self._revoked: dict[str, str] = {}
        for peer in peers:
            self.add(peer)

    def add(self, peer: PublicIdentity) -> None:
        """Pin a peer. Raises ValueError where its name is pinned to other keys, or these keys are revoked."""
        if not isinstance(peer, PublicIdentity):
            raise TypeError(f"peer: expected PublicIdentity, got {type(peer).__name__}")
        self.pin(peer.name, peer.fingerprint)

    def pin(self, name: str, fingerprint: str) -> None:
        """Pin a name to a fingerprint that was compared over another way. Raises ValueError like `add`."""
        name, fingerprint = checked_name(name), _checked_fingerprint(fingerprint)
        if fingerprint in self._revoked:
            raise ValueError(f"{fingerprint} was revoked: {self._revoked[fingerprint]}")
        if (pinned := self._fingerprints.setdefault(name, fingerprint)) != fingerprint:
            raise ValueError(f"{name!r} is pinned to {pinned}, got {fingerprint}")

    def remove(self, name: str) -> None:
        """Forget a peer. Raises KeyError for an unknown name."""
        del self._fingerprints[name]

    def revoke(self, fingerprint: str, reason: str) -> None:
        """Never trust these keys again. Open channels are not closed by it."""
        fingerprint = _checked_fingerprint(fingerprint)
        self._revoked.setdefault(fingerprint, checked_reason(reason))
        self._fingerprints = {
            name: pinned for name, pinned in self._fingerprints.items() if pinned != fingerprint
        }

    def accept(self, statement: Rotation | Revocation) -> None:
        """Act on a peer's own word: pin its next keys (and revoke the old ones), or revoke it.

        Raises PeerRefused where the statement's old keys are not pinned under its name, InvalidSignature.
        """
        statement.verify()
        if isinstance(statement, Revocation):
            self.check(statement.identity)
            self.revoke(statement.identity.fingerprint, statement.reason)
            return
        self.check(statement.old)
        if statement.new.fingerprint in self._revoked:
            raise PeerRefused(f"{statement.new.fingerprint} was revoked, got a rotation to it")
        self.revoke(statement.old.fingerprint, f"rotated to {statement.new.fingerprint}")
        self.add(statement.new)

    @property
    def names(self) -> list[str]:
        """The pinned names, sorted."""
        return sorted(self._fingerprints)

    def fingerprint(self, name: str) -> str:
        """The pinned fingerprint of a name. Raises KeyError."""
        return self._fingerprints[name]

    @property
    def revoked(self) -> dict[str, str]:
        """Revoked fingerprints with their reasons."""
        return dict(self._revoked)

    def check(self, claimed: PublicIdentity, expected: str | None = None) -> str:
        """Return the name under which `claimed` is pinned.

        Raises PeerRefused for revoked keys, an unpinned name, another fingerprint, or a name other than
        `expected`.
        """
        fingerprint = claimed.fingerprint
        if fingerprint in self._revoked:
            reason = self._revoked[fingerprint]
            raise PeerRefused(f"expected keys that are not revoked, got {fingerprint}, revoked: {reason}")
        if expected is not None and claimed.name != expected:
            raise PeerRefused(f"expected the peer {expected!r}, got {claimed.name!r} ({fingerprint})")
        pinned = self._fingerprints.get(claimed.name)
        if pinned is None:
            raise PeerRefused(
                f"expected one of the pinned peers {self.names}, got {claimed.name!r} ({fingerprint})"
            )
        if pinned != fingerprint:
            raise PeerRefused(f"{claimed.name!r}: expected the pinned {pinned}, got {fingerprint}")
        return claimed.name

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "TrustStore":
        """Read a trust file. Raises ValueError saying what in it is not as expected."""
        with Path(path).open("rb") as source:
            content = source.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"trust file: expected at most {MAX_FILE_BYTES} bytes, got more")
        try:
            tables = tomllib.loads(content.decode())
        except ValueError as error:
            raise ValueError(f"trust file {path}: expected TOML, got {error}") from None
        if not set(tables) <= {"peers", "revoked"}:
            raise ValueError(f"trust file {path}: expected [peers] and [revoked], got {sorted(tables)}")
        trust = cls()
        for fingerprint, reason in _pairs(tables.get("revoked", {})):
            trust.revoke(fingerprint, reason)
        for name, fingerprint in _pairs(tables.get("peers", {})):
            trust.pin(name, fingerprint)
        return trust

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trust file, whole or not at all, in place of an older one."""
        peers = [f'"{name}" = "{self._fingerprints[name]}"' for name in self.names]
        revoked = [f'"{each}" = {_quoted(reason)}' for each, reason in sorted(self._revoked.items())]
        lines = ["[peers]", *peers, "", "[revoked]", *revoked]
        replace_file(Path(path), "\n".join([*lines, ""]).encode())

    def __contains__(self, name: object) -> bool:
        return name in self._fingerprints

    def __len__(self) -> int:
        return len(self._fingerprints)

    def __repr__(self) -> str:
        return f"TrustStore({self.names})"


def _checked_fingerprint(fingerprint: object) -> str:
    if not isinstance(fingerprint, str) or not FINGERPRINT.fullmatch(fingerprint):
        raise ValueError(f"fingerprint: expected 16 groups of 4 hexadecimal digits, got {fingerprint!r}")
    return fingerprint


def _pairs(table: object) -> Iterable[tuple[str, str]]:
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise ValueError("trust file: expected tables of text, got something else")
    return table.items()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
