"""Streams of cryptographic words: standard, uniform over the full ring, and silent about their key."""

import pickle

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mpc.randomness import KEY_BYTES, Stream, new_key


def test_words_are_the_aes_256_ctr_keystream() -> None:
    key = bytes(range(32))
    expected = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(8 * 300_000))
    stream = Stream(key)
    words = torch.cat([stream.words((7,)), stream.words((100, 3)).reshape(-1), stream.words((299_693,))])
    assert words.numpy().tobytes() == expected


def test_first_block_is_the_published_one() -> None:
    """AES-256 of the zero block under the zero key: NIST AESAVS, appendix E.3's companion value."""
    assert Stream(bytes(32)).words((2,)).numpy().tobytes().hex() == "dc95c078a2408989ad48a21492842087"


def test_two_holders_of_a_key_draw_the_same() -> None:
    key = new_key()
    one, other = Stream(key), Stream(key)
    for size in [(3,), (2, 5), (), (0,), (1 << 18,)]:
        assert torch.equal(one.words(size), other.words(size))


def test_words_cover_the_full_ring_uniformly() -> None:
    """Chi-square on the top byte of 2^20 words: 255 degrees of freedom, 330 has probability about 1e-3."""
    words = Stream(bytes([7]) * 32).words((1 << 20,)).numpy()
    top = np.bincount(words.view(np.uint64) >> np.uint64(56), minlength=256)
    chi_square = float(((top - 4096.0) ** 2 / 4096.0).sum())
    assert 190 < chi_square < 330


def test_every_bit_is_fair_and_independent_of_the_next_words() -> None:
    """Each of the 64 bits, and each bit's agreement with itself in the next word: within five deviations."""
    words = Stream(bytes([8]) * 32).words((1 << 18,)).numpy().view(np.uint64)
    deviation = 0.5 * (1 << 18) ** -0.5
    for bit in range(64):
        values = (words >> np.uint64(bit)) & np.uint64(1)
        assert abs(values.mean() - 0.5) < 5 * deviation, bit
        assert abs((values[1:] ^ values[:-1]).mean() - 0.5) < 5 * deviation, bit
    assert len(np.unique(words)) == len(words)


def test_extremes_of_the_ring_are_reached() -> None:
    """Within 2^-16 of both ends of the signed range, which CrypTen's generator leaves out at the top."""
    words = Stream(bytes([9]) * 32).words((1 << 21,))
    assert int(words.min()) < -(2**63) + 2**47
    assert int(words.max()) > 2**63 - 2**47


def test_all_of_the_key_counts() -> None:
    """CrypTen's generator keeps 32 bits of its seed; here each of the 256 bits makes another stream."""
    firsts = set()
    for bit in range(8 * KEY_BYTES):
        key = bytearray(KEY_BYTES)
        key[bit // 8] = 1 << bit % 8
        firsts.add(tuple(Stream(bytes(key)).words((2,)).tolist()))
    assert len(firsts) == 8 * KEY_BYTES
    same_low_bits = [torch.Generator().manual_seed(seed) for seed in (7, 7 + 2**32)]
    drawn = [torch.randint(2**62, (4,), generator=generator) for generator in same_low_bits]
    assert torch.equal(*drawn)


def test_indices_tell_streams_apart() -> None:
    key = new_key()
    assert len({tuple(Stream(key, index).words((2,)).tolist()) for index in (0, 1, 2, 2**63)}) == 4


@pytest.mark.parametrize("bitlength", [1, 16, 63])
def test_bits_stay_in_range(bitlength: int) -> None:
    values = Stream(bytes(32)).bits((4096,), bitlength)
    assert int(values.min()) >= 0
    assert int(values.max()) < 1 << bitlength
    assert int(values.max()) >= (1 << bitlength) // 2


@pytest.mark.parametrize("bitlength", [0, 65])
def test_bits_refuse_other_lengths(bitlength: int) -> None:
    with pytest.raises(ValueError, match=f"1..64, got {bitlength}"):
        Stream(bytes(32)).bits((1,), bitlength)


@pytest.mark.parametrize("length", [0, 16, KEY_BYTES + 1])
def test_key_length_is_checked(length: int) -> None:
    with pytest.raises(ValueError, match=f"32 bytes, got {length}"):
        Stream(bytes(length))


def test_key_does_not_leak() -> None:
    stream = Stream(b"k" * 32)
    assert "kkk" not in repr(stream)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(stream)
