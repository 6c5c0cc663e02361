"""The published age vectors (CCTV): hybrid recipients and the chunked body, valid and invalid ones."""

import hashlib
import zlib
from io import BytesIO
from pathlib import Path

import pytest

from pqc.envelope import (
    AgeKey,
    ClassicalKey,
    EnvelopeError,
    HeaderError,
    NoMatchError,
    PayloadError,
    open_stream,
)

FOLDER = Path(__file__).parents[4] / "shared" / "vectors" / "cctv" / "age"
FILES = sorted(FOLDER.glob("[hs]*_*")) + sorted(FOLDER.glob("hybrid")) if FOLDER.is_dir() else []
EXPECTED: dict[str, type[EnvelopeError]] = {
    "header failure": HeaderError,
    "HMAC failure": HeaderError,
    "no match": NoMatchError,
    "payload failure": PayloadError,
}


def parse(path: Path) -> tuple[dict[str, list[str]], bytes]:
    text, _, content = path.read_bytes().partition(b"\n\n")
    fields: dict[str, list[str]] = {}
    for line in text.decode().splitlines():
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return fields, zlib.decompress(content) if "compressed" in fields else content


def test_the_vectors_are_there(vectors: Path) -> None:
    """Skips with the reason where the folder is absent; where it is there, none may be missing."""
    assert vectors.is_dir()
    assert len(FILES) == 46


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_published_vector(path: Path) -> None:
    fields, content = parse(path)
    (expect,) = fields["expect"]
    keys = [
        AgeKey.parse(text) if text.startswith("AGE-SECRET-KEY-PQ-") else ClassicalKey.parse(text)
        for text in fields["identity"]
    ]
    sink = BytesIO()
    if expect == "success":
        open_stream(BytesIO(content), sink, keys)
    else:
        with pytest.raises(EXPECTED[expect]):
            open_stream(BytesIO(content), sink, keys)
    released = fields["payload"][0] if "payload" in fields else hashlib.sha256(b"").hexdigest()
    assert hashlib.sha256(sink.getvalue()).hexdigest() == released
