"""A meeting in a file: who may open it, how long it waits, what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import msgpack
import pytest

from mpc.rendezvous import MAX_BYTES, FileMeeting


def test_values_come_in_order_and_the_file_goes(tmp_path: Path) -> None:
    path = tmp_path / "meeting"
    results: dict[int, list[list[object]]] = {}

    def member(index: int) -> None:
        meeting = FileMeeting(path, index, 3, 10.0)
        results[index] = [meeting.exchange(bytes([index])), meeting.exchange(("127.0.0.1", index))]
        if index < 2:
            meeting.close()

    threads = [threading.Thread(target=member, args=(index,)) for index in (2, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [[b"\0", b"\1", b"\2"], [("127.0.0.1", index) for index in range(3)]]
    assert results == dict.fromkeys(range(3), expected)
    assert not path.exists()


def test_only_the_user_may_open_the_file(tmp_path: Path) -> None:
    path = tmp_path / "meeting"
    FileMeeting(path, 0, 2, 1.0)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(PermissionError, match=r"mode 0600, found owner .* and mode 0640"):
        FileMeeting(path, 1, 2, 1.0)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        FileMeeting(tmp_path / "link", 0, 2, 1.0)


def test_time_limits_say_who_came(tmp_path: Path) -> None:
    meeting = FileMeeting(tmp_path / "meeting", 0, 3, 0.2)
    with pytest.raises(TimeoutError, match=r"1 of 3 processes came to .*meeting within 0.2 s"):
        meeting.exchange(b"")
    with pytest.raises(TimeoutError, match="still holds an earlier run"):
        FileMeeting(tmp_path / "meeting", 0, 3, 0.2)


def dead_process() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def write(path: Path, *records: list[object]) -> None:
    path.touch(0o600)
    path.write_bytes(b"".join(msgpack.packb(record) for record in records))


@pytest.mark.parametrize("index", [0, 1])
def test_a_dead_run_is_swept_away(tmp_path: Path, index: int) -> None:
    write(tmp_path / "meeting", [0, 0, dead_process(), b"old"])
    meeting = FileMeeting(tmp_path / "meeting", index, 2, 0.2)
    with pytest.raises(TimeoutError, match="1 of 2"):
        meeting.exchange(b"new")


def test_a_member_that_dies_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "meeting"
    meeting = FileMeeting(path, 0, 2, 10.0)
    with path.open("ab") as file:
        file.write(msgpack.packb([-2, 1, dead_process(), None]))
    with pytest.raises(ConnectionError, match="process 1 of the meeting"):
        meeting.exchange(b"")


def test_long_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "meeting"
    path.touch(0o600)
    os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(ValueError, match=f"has {MAX_BYTES + 1} bytes"):
        FileMeeting(path, 0, 2, 1.0)
