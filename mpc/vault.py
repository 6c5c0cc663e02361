"""Files on a party's disk that nobody but the party can read or change unnoticed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pqc import Identity, TrustStore
from pqc.envelope import AgeKey, EnvelopeError, open_bytes, seal_bytes
from pqc.errors import PeerRefused
from pqc.files import replace_file


@dataclass(frozen=True, repr=False)
class Vault:
    """A folder of files of one `purpose`, such as "checkpoint", that one identity seals, signs and opens.

    Files are age files (mode 0600), replaced whole or not at all.
    """

    folder: Path
    identity: Identity
    purpose: str

    def names(self) -> list[str]:
        """The files in the folder; none if it does not exist."""
        return [path.name for path in self.folder.iterdir()] if self.folder.exists() else []

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self.folder / name).exists()

    def save(self, name: str, content: bytes) -> None:
        """Replace the file of that name, durably and whole, or raise OSError and leave it as it was."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / name
        named = name.encode() + b"\0" + content
        try:
            replace_file(path, seal_bytes(named, [self._key().recipient], signer=self.identity))
        except OSError as error:
            raise OSError(
                error.errno,
                f"{self.purpose} not saved ({len(named)} bytes), older ones are intact: {error.strerror}",
                str(path),
            ) from error
        self._sync()

    def load(self, name: str) -> bytes:
        """ValueError where the file is damaged, renamed, or not this identity's."""
        path = self.folder / name
        trust = TrustStore([self.identity.public])
        try:
            content = open_bytes(path.read_bytes(), [self._key()], trust=trust).content
        except (EnvelopeError, PeerRefused) as error:
            raise ValueError(f"{path} is no {self.purpose} of {self.identity.name}: {error}") from error
        named, _, rest = content.partition(b"\0")
        if named != name.encode():
            raise ValueError(f"{path} was saved under the name {named.decode()!r}")
        return rest

    def remove(self, name: str) -> None:
        """Delete the file, durably; FileNotFoundError if there is none."""
        (self.folder / name).unlink()
        self._sync()

    def _key(self) -> AgeKey:
        return AgeKey(self.identity.derive(f"mpc {self.purpose}s"))

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
