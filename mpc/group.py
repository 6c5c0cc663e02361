"""The group of the private set intersection: hashing to edwards25519, a secret exponent on many points."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    from nacl import bindings as sodium
    from nacl.exceptions import CryptoError
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("aligning records needs libsodium: pip install pynacl") from missing

Points = npt.NDArray[np.uint8]
POINT_BYTES = 32
_CONTEXT = b"latticework psi1"


def hash_to_group(text: bytes) -> bytes:
    """A point of edwards25519's subgroup of prime order whose logarithm nobody knows.

    Two Elligator 2 maps, cofactor cleared, added (Faz-Hernandez et al., RFC 9380, section 3, hash_to_curve);
    BLAKE2b in place of its expander, so the points are not those of that standard.
    """
    digest = hashlib.blake2b(text, person=_CONTEXT).digest()
    halves = (sodium.crypto_core_ed25519_from_uniform(half) for half in (digest[:32], digest[32:]))
    point: bytes = sodium.crypto_core_ed25519_add(*halves)
    return point


class Mask:
    """A fresh secret exponent, applied to tables of points by several threads (libsodium drops the lock).

    Both methods are lazy and yield tables of `chunk` rows, the last one the rest.
    """

    def __init__(self, chunk: int) -> None:
        self._scalar = sodium.crypto_core_ed25519_scalar_reduce(os.urandom(64))
        self._chunk = chunk

    def texts(self, texts: Sequence[bytes]) -> Iterator[Points]:
        """Each text hashed to the group and raised; tables of shape (chunk, 32)."""
        return self._chunks(texts, lambda text: self._raise(hash_to_group(text)))

    def points(self, points: Points) -> Iterator[Points]:
        """Each point of a table of shape (n, 32) raised; ValueError if one is not in the group."""
        return self._chunks([point.tobytes() for point in points], self._raise)

    def _raise(self, point: bytes) -> bytes:
        try:
            raised: bytes = sodium.crypto_scalarmult_ed25519_noclamp(self._scalar, point)
        except CryptoError as error:
            raise ValueError("a peer sent 32 bytes that are no point of the prime-order group") from error
        return raised

    def _chunks(self, items: Sequence[Any], work: Callable[[Any], bytes]) -> Iterator[Points]:
        threads = os.cpu_count() or 1
        with ThreadPoolExecutor(threads) as workers:
            for start in range(0, len(items), self._chunk):
                part = items[start : start + self._chunk]
                slices = [part[thread::threads] for thread in range(threads)]
                done = workers.map(lambda piece: [work(item) for item in piece], slices)
                table = np.empty((len(part), POINT_BYTES), dtype=np.uint8)
                for thread, results in enumerate(done):
                    if results:
                        table[thread::threads] = np.frombuffer(b"".join(results), np.uint8).reshape(-1, 32)
                yield table
