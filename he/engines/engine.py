"""The verbs a plan needs, and who may speak them.

An Evaluator computes and holds public evaluation keys at most. A KeyOwner encrypts and decrypts: it holds the
secret key, which no verb returns. Every ciphertext has a level (rescalings left) and a scale.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from he.ckks.linear import Diagonals
from he.ckks.params import CkksParams
from he.ckks.streaming import Reader
from he.kernels import IntegerMatrix

Cipher = TypeVar("Cipher")
Plain = TypeVar("Plain")
Linear = TypeVar("Linear")


class Evaluator(Protocol[Cipher, Plain, Linear]):
    """What the server does with ciphertexts. No verb changes its arguments."""

    def encode(self, values: NDArray[np.float64], level: int, scale: float) -> Plain:
        """Real values (slots,) as a plaintext for ciphertexts of this level."""

    def encode_linear(self, diagonals: Diagonals, level: int, scale: float) -> Linear:
        """A linear map on slots, made ready for ciphertexts of this level."""

    def add(self, x: Cipher, y: Cipher) -> Cipher:
        """x + y: same level, same scale."""

    def add_plain(self, x: Cipher, y: Plain) -> Cipher:
        """x + y: same level, same scale."""

    def multiply(self, x: Cipher, y: Cipher) -> Cipher:
        """x y, relinearised and rescaled: one level down, scale x.scale y.scale / q_level."""

    def rotate(self, x: Cipher, steps: Sequence[int]) -> list[Cipher]:
        """x rotated left by each number of slots (0 gives x itself)."""

    def fold(self, x: Cipher, steps: Sequence[int]) -> Cipher:
        """x + rot_k(x) for each k of `steps` in turn, which adds up more and more slots."""

    def linear(self, x: Cipher, linear: Linear) -> Cipher:
        """The linear map applied to x, rescaled as `multiply` does."""

    def add_number(self, x: Cipher, value: float) -> Cipher:
        """x + value in every slot."""

    def polynomial(self, x: Cipher, coefficients: Sequence[float]) -> Cipher:
        """sum_k coefficients[k] T_k(x) for slots in [-1, 1], T_k Chebyshev's polynomials, at the scale of x.

        It takes ceil(log2(degree + 1)) levels.
        """

    def drop(self, x: Cipher, level: int) -> Cipher:
        """x at this level, not above its own: the same scale, rescalings given up."""

    def affine(
        self, xs: Sequence[Cipher], matrix: IntegerMatrix, bias: NDArray[np.float64], scale: float
    ) -> list[Cipher]:
        """Row r: sum_c matrix[r, c] xs[c], to be read at `scale`, rescaled, plus bias[r] in every slot.

        The xs are of one level; their scales may differ: the integers make up for it.
        """

    def dump(self, x: Cipher) -> bytes:
        """The bytes of a ciphertext."""

    def load(self, data: bytes | memoryview, level: int, scale: float) -> Cipher:
        """A ciphertext from bytes; ValueError unless it has this level and scale."""


class KeyOwner(Protocol):
    """What the owner of the secret key does."""

    def encrypt(self, values: NDArray[np.float64], level: int, scale: float) -> bytes:
        """Encrypt real values (slots,) and return the ciphertext's bytes."""

    def decrypt(self, data: bytes | memoryview, level: int, scale: float) -> NDArray[np.float64]:
        """The values (slots,) of a ciphertext; ValueError unless it has this level and scale."""

    def decrypt_to_share(
        self, data: bytes | memoryview, level: int, scale: float, error: float, bits: int, queries: int
    ) -> NDArray[np.float64]:
        """The same with flooding noise, for results that leave the owner; ValueError if it cannot."""

    def evaluation_keys(self) -> bytes:
        """The public keys with which an Evaluator multiplies and rotates; never the secret key."""

    def key_stream(self) -> tuple[int, Iterator[bytes]]:
        """(bytes in all, pieces) of such keys, made when they are asked for: not all in memory at once."""


class Engine(Protocol):
    """A way to run plans: it makes key owners for clients and evaluators for servers."""

    @property
    def name(self) -> str:
        """At most eight letters; stands in the header of all bytes of this engine."""

    def owner(self, params: CkksParams, rotations: Collection[int]) -> KeyOwner:
        """Make fresh keys, among them evaluation keys for these rotations only.

        rotations: a mapping says up to which level each is used, which an engine may make use of.
        """

    def evaluator(
        self, params: CkksParams, rotations: Collection[int], keys: bytes | memoryview | Reader
    ) -> Evaluator[Any, Any, Any]:
        """An evaluator with the keys of `KeyOwner.evaluation_keys`; ValueError if they do not fit.

        From a Reader they are taken in one by one, and nothing longer than keys for these rotations can be.
        """

    def largest_keys_bytes(self, params: CkksParams, rotations: Collection[int]) -> int:
        """A bound on the bytes of evaluation keys: longer ones are refused unread."""

    def largest_ciphertext_bytes(self, params: CkksParams) -> int:
        """A bound on the bytes of one ciphertext: longer ones are refused unread."""
