"""KEMs: both backends against each other, every wrong length, secrets that stay hidden."""

import pickle
from functools import cache

import pytest

from pqc import kem
from pqc.algorithm import Algorithm, Backend

# Classic McEliece draws keys until one is invertible, a second or so: all sizes but the smallest are slow.
CARDS = [
    pytest.param(
        card,
        id=f"{card.name}-{card.backend}",
        marks=[pytest.mark.slow] if "McEliece" in card.name and "348864" not in card.name else [],
    )
    for card in kem.algorithms()
]


@cache
def key(name: str, backend: Backend) -> kem.PrivateKey:
    """Classic McEliece takes its time to make one, so each algorithm's key is made once."""
    return kem.algorithm(name, backend).generate()


@pytest.mark.parametrize("card", CARDS)
def test_both_sides_get_the_same_secret_and_the_sizes_are_as_declared(card: Algorithm) -> None:
    private = key(card.name, card.backend)
    ciphertext, secret = private.public.encapsulate()
    assert private.decapsulate(ciphertext) == secret
    assert len(secret) == kem.SECRET_BYTES
    sizes = (len(private.public.to_bytes()), len(private.to_bytes()), len(ciphertext))
    assert sizes == (card.public_bytes, card.private_bytes, card.output_bytes)


@pytest.mark.parametrize("card", CARDS)
def test_keys_survive_their_raw_encoding(card: Algorithm) -> None:
    algorithm = kem.algorithm(card.name, card.backend)
    private = key(card.name, card.backend)
    again = algorithm.private_key(private.to_bytes())
    assert again.public == private.public
    ciphertext, secret = algorithm.public_key(private.public.to_bytes()).encapsulate()
    assert again.decapsulate(bytearray(ciphertext)) == secret


@pytest.mark.parametrize("name", ["ML-KEM-768", "ML-KEM-1024"])
@pytest.mark.parametrize(("owner", "sender"), [("cryptography", "pqcrypto"), ("pqcrypto", "cryptography")])
def test_backends_understand_each_other(name: str, owner: Backend, sender: Backend) -> None:
    private = key(name, owner)
    public = kem.algorithm(name, sender).public_key(private.public.to_bytes())
    ciphertext, secret = public.encapsulate()
    assert private.decapsulate(ciphertext) == secret
    damaged = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert private.decapsulate(damaged) != secret


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("wrong", [-1, 1])
def test_wrong_lengths_name_both_numbers(card: Algorithm, wrong: int) -> None:
    algorithm = kem.algorithm(card.name, card.backend)
    private = key(card.name, card.backend)
    for read, size in (
        (algorithm.public_key, card.public_bytes),
        (algorithm.private_key, card.private_bytes),
        (private.decapsulate, card.output_bytes),
    ):
        with pytest.raises(ValueError, match=f"expected {size} bytes, got {size + wrong}"):
            read(bytes(size + wrong))
        with pytest.raises(TypeError, match="expected bytes, got str"):
            read("x" * size)  # type: ignore[arg-type]


@pytest.mark.parametrize("card", CARDS[:5])
def test_a_public_key_that_is_not_reduced_is_refused(card: Algorithm) -> None:
    assert card.name.startswith("ML-KEM")
    with pytest.raises(ValueError, match="below 3329"):
        kem.algorithm(card.name, card.backend).public_key(b"\xff" * card.public_bytes)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no KEM 'Kyber768'.*ML-KEM-768 \(cryptography\)"):
        kem.algorithm("Kyber768")


@pytest.mark.parametrize("card", CARDS)
def test_secrets_are_neither_shown_nor_pickled(card: Algorithm) -> None:
    private = key(card.name, card.backend)
    shown = repr(private) + str(private) + repr(private.public.encapsulate())
    assert private.to_bytes().hex()[:16] not in shown
    assert "hidden" in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(private)


def test_a_private_key_whose_inner_hash_does_not_fit_is_refused() -> None:
    raw = bytearray(key("ML-KEM-768", "pqcrypto").to_bytes())
    raw[-40] ^= 1
    with pytest.raises(ValueError, match="secret key"):
        kem.algorithm("ML-KEM-768", "pqcrypto").private_key(raw)
