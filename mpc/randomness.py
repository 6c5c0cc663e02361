"""Cryptographic randomness for shares and masks: AES-256 in counter mode, keyed by the operating system.

CrypTen draws shares from a Mersenne Twister whose generator keeps 32 bits of the seed; every draw of this
project comes from a `Stream` instead, over the full ring Z_(2^64).
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_BYTES = 32
_ZEROS = bytes(1 << 20)


class Stream:
    """A keyed stream of uniform 64-bit words; two holders of one key draw the same words in the same order.

    AES-256-CTR (NIST SP 800-38A, section 6.5). A key serves either one stream, or 2^64 of them told apart by
    `index`, the upper half of the counter; each may give 2^64 blocks of 16 bytes.
    """

    def __init__(self, key: bytes, index: int = 0) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a stream key has {KEY_BYTES} bytes, got {len(key)}")
        counter = index.to_bytes(8, "big") + bytes(8)
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor()

    @classmethod
    def fresh(cls) -> Stream:
        """A stream that nobody else can repeat."""
        return cls(new_key())

    def __repr__(self) -> str:
        return "Stream(AES-256-CTR)"

    def __reduce__(self) -> str:
        raise TypeError("a Stream holds a secret key and cannot be pickled")

    def words(self, size: Sequence[int]) -> torch.Tensor:
        """Uniform int64 of shape `size` over the whole range [-2^63, 2^63)."""
        count = math.prod(size)
        # update_into asks for a block of slack behind the data.
        buffer = np.empty(count + 2, dtype=np.int64)
        self._fill(buffer.data.cast("B"), 8 * count)
        return torch.from_numpy(buffer[:count]).reshape(tuple(size))

    def bits(self, size: Sequence[int], bitlength: int) -> torch.Tensor:
        """Uniform int64 of shape `size` over [0, 2^bitlength) for bitlength 1..63, over all words for 64."""
        if not 1 <= bitlength <= 64:
            raise ValueError(f"bit length must be 1..64, got {bitlength}")
        words = self.words(size)
        return words if bitlength == 64 else words & ((1 << bitlength) - 1)

    def _fill(self, out: memoryview, length: int) -> None:
        zeros = memoryview(_ZEROS)
        for start in range(0, length, len(_ZEROS)):
            piece = min(len(_ZEROS), length - start)
            self._encryptor.update_into(zeros[:piece], out[start:])


class Zeros:
    """In the place of a stream: zeros, for a party whose share is zero whatever the others' is."""

    def words(self, size: Sequence[int]) -> torch.Tensor:
        """Zeros (int64) of shape `size`."""
        return torch.zeros(tuple(size), dtype=torch.long)

    def bits(self, size: Sequence[int], bitlength: int) -> torch.Tensor:
        """Zeros (int64) of shape `size`."""
        return self.words(size)


def new_key() -> bytes:
    """32 bytes from the operating system."""
    return secrets.token_bytes(KEY_BYTES)
