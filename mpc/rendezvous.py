"""Processes of one user on one machine learn each other's public values through a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

# Public identities and addresses of four processes take about 10 KB.
MAX_BYTES = 1 << 20
_POLL_S = 0.01
# Numbers of records that belong to no round.
_HERE, _DONE = -2, -1


class FileMeeting:
    """A place where `members` processes, told apart by `index`, exchange public values in rounds.

    All but the last of them, the helper, close the meeting when they are connected.

    The file belongs to this user and nobody else may read or write it (0600); it is trusted because the
    user of the machine is: whoever can write it can take a party's place. It holds public identities and
    addresses only, and goes when all have met. A file left by processes that died is removed.

    Raises PermissionError for a file of another user or one that others may open, TimeoutError when not
    all come within `timeout_s`, ConnectionError when one of those who came dies.
    """

    def __init__(self, path: Path, index: int, members: int, timeout_s: float) -> None:
        self._path, self._index, self._members = path, index, members
        self._timeout_s = timeout_s
        self._round = 0
        self._file = -1
        self._enter(time.monotonic() + timeout_s)

    def exchange(self, value: Any) -> list[Any]:
        """Give a value of plain types, get everybody's in order of index; returns when all have given."""
        self._append(self._round, value)
        deadline = time.monotonic() + self._timeout_s
        while True:
            given = {index: what for number, index, _, what in self._records() if number == self._round}
            if len(given) == self._members:
                self._round += 1
                return [given[index] for index in range(self._members)]
            self._wait(deadline, f"{len(given)} of {self._members} processes came")

    def close(self) -> None:
        """Say that this process needs the file no more; the last one removes it."""
        self._append(_DONE, None)
        with self._locked(fcntl.LOCK_EX):
            done = sum(number == _DONE for number, *_ in self._read())
            if done == self._members - 1 and self._is_current():
                self._path.unlink()
        os.close(self._file)

    def _enter(self, deadline: float) -> None:
        """Open the file, or make it; wait while an earlier run of the same processes is still in it."""
        while True:
            self._file = _open(self._path)
            with self._locked(fcntl.LOCK_EX):
                records = self._read() if self._is_current() else None
                if records is not None and not any(index == self._index for _, index, *_ in records):
                    if all(_alive(pid) for _, _, pid, _ in records):
                        self._write(_HERE, None)
                        return
                    self._path.unlink()
                elif records and not all(_alive(pid) for _, _, pid, _ in records):
                    self._path.unlink()
            os.close(self._file)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._path} still holds an earlier run after {self._timeout_s:g} s")
            time.sleep(_POLL_S)

    def _wait(self, deadline: float, so_far: str) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{so_far} to {self._path} within {self._timeout_s:g} s")
        lost = [index for _, index, pid, _ in self._records() if not _alive(pid)]
        if lost or not self._is_current():
            raise ConnectionError(f"process {lost[0] if lost else '?'} of the meeting at {self._path} died")
        time.sleep(_POLL_S)

    def _append(self, number: int, value: Any) -> None:
        with self._locked(fcntl.LOCK_EX):
            self._write(number, value)

    def _write(self, number: int, value: Any) -> None:
        os.write(self._file, msgpack.packb([number, self._index, os.getpid(), value]))

    def _records(self) -> list[Any]:
        with self._locked(fcntl.LOCK_SH):
            return self._read()

    def _read(self) -> list[Any]:
        size = os.fstat(self._file).st_size
        if size > MAX_BYTES:
            raise ValueError(f"{self._path} has {size} bytes, a meeting needs at most {MAX_BYTES}")
        unpacker = msgpack.Unpacker(use_list=False)
        unpacker.feed(os.pread(self._file, size, 0))
        return list(unpacker)

    def _is_current(self) -> bool:
        try:
            return self._path.stat().st_ino == os.fstat(self._file).st_ino
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        fcntl.flock(self._file, kind)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def _open(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    status = os.fstat(file)
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode) or mode & 0o077:
        os.close(file)
        raise PermissionError(
            f"{path} must be a regular file of user {os.geteuid()} with mode 0600, "
            f"found owner {status.st_uid} and mode {mode:04o}"
        )
    return file


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
