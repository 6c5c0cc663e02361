"""Bech32: published strings, there and back, and every single wrong character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqc.age import bech32

# From c2sp.org/age: thirty-two bytes 0x42 and the X25519 key made from them.
KEY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


def test_the_published_example() -> None:
    assert bech32.decode("age-secret-key-", KEY) == b"\x42" * 32
    assert bech32.encode("age-secret-key-", b"\x42" * 32).upper() == KEY


@given(st.binary(max_size=80))
def test_there_and_back(data: bytes) -> None:
    text = bech32.encode("age1pq", data)
    assert bech32.decode("age1pq", text) == bech32.decode("age1pq", text.upper()) == data


def test_every_wrong_character_is_noticed() -> None:
    for place in range(len(KEY)):
        for wrong in "QPZB1":
            if wrong != KEY[place]:
                with pytest.raises(ValueError, match="bech32"):
                    bech32.decode("age-secret-key-", KEY[:place] + wrong + KEY[place + 1 :])


@pytest.mark.parametrize("text", ["", "age-secret-key-1", KEY[:-1], KEY + "Q", KEY[:30] + KEY[30:].lower()])
def test_malformed_text_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="bech32") as caught:
        bech32.decode("age-secret-key-", text)
    assert "GFPYYSJ" not in str(caught.value).upper()


def test_bits_left_over_are_refused() -> None:
    values = [31]
    checksum = bech32._polymod(bech32._expand("a") + values + [0] * 6) ^ 1
    text = "a1l" + "".join(bech32.ALPHABET[checksum >> 5 * (5 - place) & 31] for place in range(6))
    with pytest.raises(ValueError, match="non-canonical"):
        bech32.decode("a", text)
