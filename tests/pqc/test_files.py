"""Files that appear whole or not at all."""

import stat
from pathlib import Path

import pytest

from pqc.files import new_file, replace_file


def test_a_new_file_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with new_file(path) as sink:
        sink.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_file(tmp_path / "new") as sink:
        sink.write(b"half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_nothing_is_replaced_by_accident_even_in_a_race(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with pytest.raises(FileExistsError), new_file(path) as sink:
        sink.write(b"ours")
        path.write_bytes(b"theirs")
    assert path.read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_replacing_is_said_aloud(tmp_path: Path) -> None:
    path = tmp_path / "old"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert len(list(tmp_path.iterdir())) == 1
