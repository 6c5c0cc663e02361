"""The header: strict to the letter, bounded, and authenticated as a whole."""

from io import BytesIO

import pytest

from pqc.age import header
from pqc.age.errors import HeaderError
from pqc.age.header import Stanza

FILE_KEY = b"YELLOW SUBMARINE"


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 95, 96, 97, 1120])
def test_stanzas_of_every_length_survive(size: int) -> None:
    made = header.make([Stanza(("kind", "argument"), bytes(size)), Stanza(("other",), b"")], FILE_KEY)
    source = BytesIO(made.to_bytes() + b"body")
    read = header.read(source)
    assert read == made
    read.verify(FILE_KEY)
    assert source.read() == b"body"


def test_a_flipped_bit_anywhere_is_noticed() -> None:
    good = header.make([Stanza(("kind", "argument"), b"body")], FILE_KEY).to_bytes()
    for place in range(len(good)):
        bad = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        with pytest.raises(HeaderError):
            header.read(BytesIO(bad)).verify(FILE_KEY)


def test_a_header_cut_anywhere_is_noticed() -> None:
    good = header.make([Stanza(("kind", "argument"), b"body")], FILE_KEY).to_bytes()
    for cut in range(len(good)):
        with pytest.raises(HeaderError):
            header.read(BytesIO(good[:cut]))


MAC = b"--- " + b"A" * 43 + b"\n"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (b"age-encryption.org/v2\n-> a\n\n" + MAC, "expected b'age-encryption.org/v1"),
        (b"age-encryption.org/v1\n" + MAC, "expected a recipient stanza"),
        (b"age-encryption.org/v1\n-> a  b\n\n" + MAC, "separated by one space"),
        (b"age-encryption.org/v1\n-> \n\n" + MAC, "separated by one space"),
        (b"age-encryption.org/v1\n-> a\x7f\n\n" + MAC, "separated by one space"),
        (b"age-encryption.org/v1\n-> a\r\n\n" + MAC, "separated by one space"),
        (b"age-encryption.org/v1\n-> a\n" + b"A" * 65 + b"\n" + MAC, "at most 64 characters, got 65"),
        (b"age-encryption.org/v1\n-> a\nAA==\n" + MAC, "no padding"),
        (b"age-encryption.org/v1\n-> a\nAB\n" + MAC, "non-canonical"),
        (b"age-encryption.org/v1\n-> a\nA\n" + MAC, "base64"),
        (b"age-encryption.org/v1\n-> a\n\n--- AAAA\n", "MAC: expected 32 bytes, got 3"),
        (b"age-encryption.org/v1\n-> a\n\nsomething\n", "expected a stanza or the MAC"),
        (b"age-encryption.org/v1\n-> a\n" + b"A" * 64 + b"\n" + MAC, "no padding"),
    ],
)
def test_deviations_are_named(lines: bytes, why: str) -> None:
    with pytest.raises(HeaderError, match=why):
        header.read(BytesIO(lines))


def test_an_endless_header_is_not_taken_in() -> None:
    endless = b"age-encryption.org/v1\n-> " + b"a" * (header.MAX_HEADER_BYTES + 100)
    source = BytesIO(endless)
    with pytest.raises(HeaderError, match=f"at most {header.MAX_HEADER_BYTES} bytes"):
        header.read(source)
    assert source.tell() < len(endless)
