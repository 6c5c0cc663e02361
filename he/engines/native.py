"""Engine `native`: our own CKKS (`he.ckks`) on the compiled kernels, behind the same verbs as `seal`."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from he import kernels
from he.ckks import affine, encoding, encrypt, evaluate, flooding, keyswitch, poly, transform, wire
from he.ckks.cipher import SAME_SCALE, Ciphertext, Plaintext
from he.ckks.keys import EvaluationKeys, SecretKey, each_key, exponent_levels
from he.ckks.linear import Diagonals
from he.ckks.params import CkksParams
from he.ckks.ring import Ring
from he.ckks.streaming import Reader


def available() -> bool:
    """Whether the compiled kernels are installed; the slow exact ones are for tests."""
    return kernels.available()


@dataclass(frozen=True)
class NativeEngine:
    """Our scheme behind the verbs of `he.engines.engine`.

    path, threads: as for `he.ckks.ring.Ring`; neither changes a result.
    """

    path: str | None = None
    threads: int | None = None
    name: str = wire.ENGINE

    def owner(self, params: CkksParams, rotations: Collection[int]) -> "NativeKeyOwner":
        """Make fresh keys, among them evaluation keys for these rotations only."""
        return NativeKeyOwner(Ring(params, self.path, self.threads), rotations)

    def evaluator(
        self, params: CkksParams, rotations: Collection[int], keys: bytes | memoryview | Reader
    ) -> "NativeEvaluator":
        """An evaluator with the keys of `KeyOwner.evaluation_keys`; ValueError if they do not fit."""
        ring = Ring(params, self.path, self.threads)
        if isinstance(keys, Reader):
            levels = exponent_levels(ring, rotations).values()
            loaded = wire.read_evaluation_keys(ring, keys.read, levels)
        else:
            loaded = wire.load_evaluation_keys(ring, keys)
        _expect_all(ring, rotations, loaded)
        return NativeEvaluator(loaded)

    def largest_keys_bytes(self, params: CkksParams, rotations: Collection[int]) -> int:
        """Exactly their bytes, unless some rotations have no key of their own."""
        top = params.top_level
        levels = rotations.values() if isinstance(rotations, Mapping) else [top] * len(rotations)
        return wire.evaluation_keys_bytes(params, levels)

    def largest_ciphertext_bytes(self, params: CkksParams) -> int:
        """Two polynomials of packed residues at the top level."""
        return wire.ciphertext_bytes(params)


class NativeKeyOwner:
    """Holds a fresh secret key."""

    def __init__(self, ring: Ring, rotations: Collection[int]) -> None:
        self._ring, self._rotations = ring, rotations
        self._secret = SecretKey.generate(ring)

    def encrypt(self, values: NDArray[np.float64], level: int, scale: float) -> bytes:
        """Encrypt under the secret key: half of the ciphertext travels as a seed."""
        plain = encoding.encode(self._ring, values, level, scale)
        return wire.dump_ciphertext(self._ring, encrypt.encrypt(self._secret, plain))

    def decrypt(self, data: bytes | memoryview, level: int, scale: float) -> NDArray[np.float64]:
        """The values (slots,) of a ciphertext."""
        return encrypt.decrypt(self._secret, load(self._ring, data, level, scale)).real

    def decrypt_to_share(
        self, data: bytes | memoryview, level: int, scale: float, error: float, bits: int, queries: int
    ) -> NDArray[np.float64]:
        """The values (slots,) with flooding noise, as `he.ckks.flooding` describes it."""
        x = load(self._ring, data, level, scale)
        return flooding.decrypt_to_share(self._secret, x, error, bits=bits, queries=queries).real

    def evaluation_keys(self) -> bytes:
        """Relinearisation key and one key a rotation, made anew with each call."""
        return b"".join(self.key_stream()[1])

    def key_stream(self) -> tuple[int, Iterator[bytes]]:
        """The same piece by piece, one key in memory at a time."""
        levels, keys = each_key(self._secret, self._rotations)
        length = wire.evaluation_keys_bytes(self._ring.params, levels.values())
        return length, wire.stream_evaluation_keys(self._ring, levels, keys)


class NativeEvaluator:
    """Computes with the public keys it was given."""

    def __init__(self, keys: EvaluationKeys) -> None:
        self._keys, self._ring = keys, keys.ring

    def encode(self, values: NDArray[np.float64], level: int, scale: float) -> Plaintext:
        """Real values (slots,) as a plaintext for ciphertexts of this level."""
        return encoding.encode(self._ring, values, level, scale)

    def encode_linear(self, diagonals: Diagonals, level: int, scale: float) -> transform.LinearMap:
        """A linear map on slots: all diagonals encoded over QP."""
        return transform.encode(self._ring, diagonals, level, scale)

    def add(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """x + y: same level, same scale."""
        return evaluate.add(self._ring, x, y)

    def add_plain(self, x: Ciphertext, y: Plaintext) -> Ciphertext:
        """x + y: same level, same scale."""
        return evaluate.add_plain(self._ring, x, y)

    def multiply(self, x: Ciphertext, y: Ciphertext) -> Ciphertext:
        """x y, relinearised and rescaled."""
        return evaluate.multiply_rescale(self._keys, x, y)

    def rotate(self, x: Ciphertext, steps: Sequence[int]) -> list[Ciphertext]:
        """x rotated left by each number of slots, the work shared."""
        return keyswitch.rotate_many(self._keys, x, steps)

    def fold(self, x: Ciphertext, steps: Sequence[int]) -> Ciphertext:
        """x + rot_k(x) for each k in turn."""
        for k in steps:
            x = self.add(x, *self.rotate(x, [k]))
        return x

    def linear(self, x: Ciphertext, linear: transform.LinearMap) -> Ciphertext:
        """The linear map applied to x, rescaled."""
        return transform.apply(self._keys, x, linear)

    def add_number(self, x: Ciphertext, value: float) -> Ciphertext:
        """x + value in every slot."""
        return evaluate.add_scalar(self._ring, x, value)

    def polynomial(self, x: Ciphertext, coefficients: Sequence[float]) -> Ciphertext:
        """sum_k coefficients[k] T_k(x) for slots in [-1, 1], at the scale of x."""
        return poly.evaluate_polynomial(self._keys, x, coefficients, "chebyshev")

    def drop(self, x: Ciphertext, level: int) -> Ciphertext:
        """x at a lower level."""
        return evaluate.drop(self._ring, x, level)

    def affine(
        self,
        xs: Sequence[Ciphertext],
        matrix: kernels.IntegerMatrix,
        bias: NDArray[np.float64],
        scale: float,
    ) -> list[Ciphertext]:
        """Weighted sums of ciphertexts, rescaled, plus numbers."""
        return affine.affine(self._ring, xs, matrix, bias, scale)

    def dump(self, x: Ciphertext) -> bytes:
        """The bytes of a ciphertext."""
        return wire.dump_ciphertext(self._ring, x)

    def load(self, data: bytes | memoryview, level: int, scale: float) -> Ciphertext:
        """A ciphertext from bytes; ValueError unless it has this level and scale."""
        return load(self._ring, data, level, scale)


def load(ring: Ring, data: bytes | memoryview, level: int, scale: float) -> Ciphertext:
    """A ciphertext from bytes; ValueError unless it has this level and scale."""
    x = wire.load_ciphertext(ring, data)
    if x.level != level:
        raise ValueError(f"ciphertext of level {x.level}, expected {level}")
    if not math.isclose(x.scale, scale, rel_tol=SAME_SCALE):
        raise ValueError(f"ciphertext of scale {x.scale:.6g}, expected {scale:.6g}")
    return Ciphertext(x.data, level, scale, x.seed)


def _expect_all(ring: Ring, rotations: Collection[int], keys: EvaluationKeys) -> None:
    """ValueError unless there is a key for each rotation, up to its level."""
    have = {k: key.level(ring) for k, key in keys.automorphisms.items()}
    needed = exponent_levels(ring, rotations)
    missing = [k for k in rotations if have.get(ring.galois(k), -1) < needed.get(ring.galois(k), -1)]
    if missing:
        raise ValueError(f"rotation keys for {missing} are missing, expected {list(rotations)}")
