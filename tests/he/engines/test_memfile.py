import os
from pathlib import Path

import pytest

from he.engines import memfile


@pytest.mark.parametrize("in_memory", [True, False])
def test_bytes_go_in_and_out_and_no_file_stays(
    in_memory: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    seen = []
    memfile.load(b"content", lambda path: seen.append(Path(path).read_bytes()))
    assert seen == [b"content"]
    assert memfile.save(lambda path: Path(path).write_bytes(b"other")) == b"other"
    assert list(tmp_path.iterdir()) == []
