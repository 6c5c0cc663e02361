"""Stanzas that break the rules of their type are errors, not stanzas of somebody else."""

import pytest

from pqc.age.errors import HeaderError
from pqc.age.header import Stanza, encode64
from pqc.age.hybrid import AgeKey
from pqc.age.passphrase import Passphrase
from pqc.age.x25519 import ClassicalKey

SALT, SHARE, BODY = encode64(bytes(16)), encode64(bytes(31) + b"\x09"), bytes(32)


@pytest.mark.parametrize(
    ("arguments", "body", "why"),
    [
        (("scrypt", SALT), BODY, "expected 3 arguments, got 2"),
        (("scrypt", SALT, "10", "x"), BODY, "expected 3 arguments, got 4"),
        (("scrypt", encode64(bytes(15)), "10"), BODY, "got 15 and 32"),
        (("scrypt", SALT, "10"), bytes(31), "got 16 and 31"),
        (("scrypt", SALT, "010"), BODY, "work factor of 1 to 20, got '010'"),
        (("scrypt", SALT, "+1"), BODY, "got '\\+1'"),
        (("scrypt", SALT, "1x"), BODY, "got '1x'"),
        (("scrypt", SALT, "٣"), BODY, "work factor"),
        (("scrypt", SALT, "21"), BODY, "got 21"),
        (("scrypt", SALT, "9" * 5000), BODY, "work factor"),
    ],
)
def test_malformed_passphrase_stanzas(arguments: tuple[str, ...], body: bytes, why: str) -> None:
    with pytest.raises(HeaderError, match=why):
        Passphrase("x").unwrap([Stanza(arguments, body)])


def test_a_passphrase_stanza_beside_another_is_an_error() -> None:
    word = Passphrase("x", work_log2=1)
    with pytest.raises(HeaderError, match="expected to be the only stanza, got 2"):
        word.unwrap([word.wrap(bytes(16)), Stanza(("other",), b"")])
    assert word.unwrap([Stanza(("other",), b"")]) is None


@pytest.mark.parametrize(
    ("arguments", "body", "why"),
    [
        (("X25519",), BODY, "expected 2 arguments, got 1"),
        (("X25519", SHARE, "x"), BODY, "expected 2 arguments, got 3"),
        (("X25519", encode64(bytes(33))), BODY, "got 33 and 32"),
        (("X25519", SHARE), bytes(33), "got 32 and 33"),
        (("X25519", encode64(bytes(32))), BODY, "gives zero"),
    ],
)
def test_malformed_classical_stanzas(arguments: tuple[str, ...], body: bytes, why: str) -> None:
    with pytest.raises(HeaderError, match=why):
        ClassicalKey(bytes(range(32))).unwrap([Stanza(arguments, body)])


def test_a_classical_stanza_of_somebody_else_is_passed_over() -> None:
    key = ClassicalKey(bytes(range(32)))
    assert key.unwrap([Stanza(("X25519", SHARE), BODY), Stanza(("other",), b"")]) is None
    assert repr(key) == "<ClassicalKey>"


@pytest.mark.parametrize(
    ("arguments", "body", "why"),
    [
        (("mlkem768x25519",), BODY, "expected 2 arguments, got 1"),
        (("mlkem768x25519", SHARE), BODY, "expected 1120 bytes of key share, got 32"),
        (("mlkem768x25519", encode64(bytes(1088) + b"\x09" * 32)), bytes(16), "a body of 32 bytes, got 16"),
        (("mlkem768x25519", encode64(bytes(1120))), BODY, "gives zero"),
    ],
)
def test_malformed_hybrid_stanzas(arguments: tuple[str, ...], body: bytes, why: str) -> None:
    with pytest.raises(HeaderError, match=why):
        AgeKey(bytes(32)).unwrap([Stanza(arguments, body)])


def test_only_text_is_a_passphrase() -> None:
    with pytest.raises(TypeError, match="expected str, got bytes"):
        Passphrase(b"x")  # type: ignore[arg-type]
