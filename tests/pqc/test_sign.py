"""Signatures: whatever is changed in signature, message, context or key, verification raises."""

import pickle

import pytest

from pqc import sign
from pqc.algorithm import Algorithm, Backend
from pqc.sign import InvalidSignature

# The small variants of SLH-DSA need a second and more for one signature: they sign once, below.
CARDS = [
    pytest.param(
        card,
        id=f"{card.name}-{card.backend}",
        marks=[pytest.mark.slow] if card.name.endswith(("192s", "256s")) else [],
    )
    for card in sign.algorithms()
]
FAST = [card for card in CARDS if not str(card.id).endswith("s-pqcrypto")]


@pytest.mark.parametrize("card", CARDS)
def test_a_signature_verifies_and_the_sizes_are_as_declared(card: Algorithm) -> None:
    private = sign.algorithm(card.name, card.backend).generate()
    signature = private.sign(b"message", context=b"test")
    private.public.verify(signature, bytearray(b"message"), context=memoryview(b"test"))
    sizes = (len(private.public.to_bytes()), len(private.to_bytes()), len(signature))
    assert sizes == (card.public_bytes, card.private_bytes, card.output_bytes)
    with pytest.raises(InvalidSignature):
        private.public.verify(signature, b"massage", context=b"test")


@pytest.mark.parametrize("card", FAST)
def test_anything_else_raises(card: Algorithm) -> None:
    algorithm = sign.algorithm(card.name, card.backend)
    private, stranger = algorithm.generate(), algorithm.generate()
    signature = private.sign(b"message", context=b"test")
    damaged = bytes([signature[0] ^ 1]) + signature[1:]
    for key, given, message, context in (
        (stranger, signature, b"message", b"test"),
        (private, damaged, b"message", b"test"),
        (private, signature[:-1], b"message", b"test"),
        (private, signature + b"\0", b"message", b"test"),
        (private, b"", b"message", b"test"),
        (private, signature, b"massage", b"test"),
        (private, signature, b"message", b""),
        (private, signature, b"message", b"tes"),
    ):
        with pytest.raises(InvalidSignature):
            key.public.verify(given, message, context)


@pytest.mark.parametrize("card", FAST)
def test_keys_survive_their_raw_encoding(card: Algorithm) -> None:
    algorithm = sign.algorithm(card.name, card.backend)
    private = algorithm.generate()
    signature = algorithm.private_key(private.to_bytes()).sign(b"m")
    algorithm.public_key(private.public.to_bytes()).verify(signature, b"m")


@pytest.mark.parametrize("card", FAST)
def test_a_context_may_have_255_bytes_and_no_more(card: Algorithm) -> None:
    private = sign.algorithm(card.name, card.backend).generate()
    if card.name.startswith("ML-DSA") and card.backend == "pqcrypto":
        private.public.verify(private.sign(b"m", bytes(253)), b"m", bytes(253))
        with pytest.raises(ValueError, match="pqcrypto takes ML-DSA contexts of at most 253 bytes, got 254"):
            private.sign(b"m", bytes(254))
        with pytest.raises(ValueError, match="pqcrypto takes ML-DSA messages of at most 1048576 bytes"):
            private.sign(bytes((1 << 20) + 1))
        return
    private.public.verify(private.sign(b"m", bytes(255)), b"m", bytes(255))
    with pytest.raises(ValueError, match="at most 255 bytes, got 256"):
        private.sign(b"m", bytes(256))
    with pytest.raises(ValueError, match="at most 255 bytes, got 256"):
        private.public.verify(bytes(card.output_bytes), b"m", bytes(256))


@pytest.mark.parametrize("card", FAST)
@pytest.mark.parametrize("wrong", [-1, 1])
def test_wrong_key_lengths_name_both_numbers(card: Algorithm, wrong: int) -> None:
    algorithm = sign.algorithm(card.name, card.backend)
    for read, size in (
        (algorithm.public_key, card.public_bytes),
        (algorithm.private_key, card.private_bytes),
    ):
        with pytest.raises(ValueError, match=f"expected {size} bytes, got {size + wrong}"):
            read(bytes(size + wrong))


@pytest.mark.parametrize("name", ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
@pytest.mark.parametrize(("signer", "verifier"), [("cryptography", "pqcrypto"), ("pqcrypto", "cryptography")])
def test_backends_understand_each_other(name: str, signer: Backend, verifier: Backend) -> None:
    private = sign.algorithm(name, signer).generate()
    public = sign.algorithm(name, verifier).public_key(private.public.to_bytes())
    signature = private.sign(b"message", b"context")
    public.verify(signature, b"message", b"context")
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"message", b"contexT")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no signature algorithm 'RSA'.*ML-DSA-65"):
        sign.algorithm("RSA")


def test_secrets_are_neither_shown_nor_pickled() -> None:
    private = sign.algorithm("ML-DSA-65").generate()
    assert private.to_bytes().hex()[:16] not in repr(private) + str(private)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(private)
