"""Engine `seal`: Microsoft SEAL as TenSEAL ships it (`tenseal.sealapi`), the vetted reference."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from he.ckks import frame, primes
from he.ckks.linear import Diagonals
from he.ckks.params import CkksParams, log2_rounded
from he.ckks.security import largest_log_qp
from he.ckks.streaming import Reader
from he.engines import chebyshev, memfile, rows
from he.kernels import IntegerMatrix

NAME = "seal"
_GENERATOR = 3  # SEAL's rotation by k slots is the automorphism X -> X^(3^k)
_SLACK_BYTES = 4096  # SEAL's headers around the residues, generously
_LARGEST_NUMBER = 1 << 53  # up to here every integer is a float64
_SAME_SCALE = 2.0**-40  # scales that differ by rounding of float64 only


def sealapi() -> ModuleType:
    """The module `tenseal.sealapi`; ImportError that says how to install it."""
    try:
        import tenseal.sealapi as module
    except ImportError as error:
        raise ImportError("engine 'seal' needs TenSEAL: pip install 'latticework[seal]'") from error
    return module  # type: ignore[no-any-return]


@dataclass(frozen=True)
class SealEngine:
    """SEAL behind the verbs of `he.engines.engine`."""

    name: str = NAME

    def owner(self, params: CkksParams, rotations: Collection[int]) -> "SealKeyOwner":
        """Make fresh keys, among them evaluation keys for these rotations only."""
        return SealKeyOwner(_Context(params), rotations)

    def evaluator(
        self, params: CkksParams, rotations: Collection[int], keys: bytes | memoryview | Reader
    ) -> "SealEvaluator":
        """An evaluator with the keys of `KeyOwner.evaluation_keys`; ValueError if they do not fit."""
        if isinstance(keys, Reader):
            reader, keys = keys, keys.read(keys.left)
            reader.finish()  # SEAL parses nothing that is damaged
        return SealEvaluator(_Context(params), rotations, keys)

    def largest_keys_bytes(self, params: CkksParams, rotations: Collection[int]) -> int:
        """Keys of 64-bit residues and SEAL's headers."""
        return (len(rotations) + 1) * _key_bytes(params) + _SLACK_BYTES

    def largest_ciphertext_bytes(self, params: CkksParams) -> int:
        """Two polynomials of 64-bit residues and SEAL's headers."""
        return 2 * len(params.moduli) * params.n * 8 + _SLACK_BYTES


class _Context:
    """SEAL's context for our parameters, and what both sides do with it."""

    def __init__(self, params: CkksParams) -> None:
        self.api = api = sealapi()
        self.params = params
        parms = api.EncryptionParameters(api.SCHEME_TYPE.CKKS)
        parms.set_poly_modulus_degree(params.n)
        parms.set_coeff_modulus([api.Modulus(q) for q in (*params.moduli, special_prime(params))])
        # SEAL's own check is switched off because ours came first and is stricter: SEAL allows 218 bits at
        # N = 8192 where CkksParams allows 214, and knows no ring above 2^15.
        self.context = api.SEALContext(parms, True, api.SEC_LEVEL_TYPE.NONE)
        if not self.context.parameters_set():
            raise ValueError(f"SEAL refuses {params!r}: {self.context.parameters_error_message()}")
        self.encoder = api.CKKSEncoder(self.context)
        data, ids = self.context.first_context_data(), list[Any]()
        while data is not None:
            ids.insert(0, data.parms_id())
            data = data.next_context_data()
        self.ids = ids

    def encode(self, values: NDArray[np.float64], level: int, scale: float) -> Any:
        plain = self.api.Plaintext()
        self.encoder.encode(values.tolist(), self.ids[level], scale, plain)
        return plain

    def element(self, steps: int) -> int:
        return pow(_GENERATOR, steps % self.params.slots, 2 * self.params.n)

    def load_cipher(self, data: bytes | memoryview, level: int, scale: float) -> Any:
        cipher = self.api.Ciphertext()
        self.load(cipher, data, "ciphertext")
        given = (cipher.size(), cipher.coeff_modulus_size(), cipher.poly_modulus_degree())
        expected = (2, level + 1, self.params.n)
        if given != expected or not cipher.is_ntt_form():
            raise ValueError(f"ciphertext of (size, primes, N) = {given}, expected {expected} in NTT form")
        cipher.scale = _checked_scale(cipher.scale, scale)
        return cipher

    def load(self, target: Any, data: bytes | memoryview, what: str) -> None:
        try:
            memfile.load(data, lambda path: target.load(self.context, path))
        except (RuntimeError, ValueError, IndexError) as error:  # SEAL's C++ exceptions
            raise ValueError(f"{what} of {len(data)} bytes given, which SEAL refuses: {error}") from error


class SealKeyOwner:
    """Encrypts under a fresh secret key that lives in SEAL's memory only, and is never saved."""

    def __init__(self, context: _Context, rotations: Collection[int]) -> None:
        api = context.api
        self._context, self._rotations = context, tuple(rotations)
        self._keygen = api.KeyGenerator(context.context)
        secret = self._keygen.secret_key()
        self._encryptor = api.Encryptor(context.context, secret)
        self._decryptor = api.Decryptor(context.context, secret)

    def encrypt(self, values: NDArray[np.float64], level: int, scale: float) -> bytes:
        """Encrypt under the secret key: SEAL then saves a seed instead of half of the ciphertext."""
        plain = self._context.encode(values, level, scale)
        return memfile.save(self._encryptor.encrypt_symmetric(plain).save)

    def decrypt(self, data: bytes | memoryview, level: int, scale: float) -> NDArray[np.float64]:
        """The values (slots,) of a ciphertext."""
        plain = self._context.api.Plaintext()
        self._decryptor.decrypt(self._context.load_cipher(data, level, scale), plain)
        return np.array(self._context.encoder.decode_double(plain))

    def decrypt_to_share(
        self, data: bytes | memoryview, level: int, scale: float, error: float, bits: int, queries: int
    ) -> NDArray[np.float64]:
        """Refused: TenSEAL shows no way to add noise before decoding."""
        raise ValueError("engine 'seal' decrypts for the owner of the key only, expected engine 'native'")

    def evaluation_keys(self) -> bytes:
        """Relinearisation key, then one Galois key a rotation, seeds in place of random halves."""
        elements = [self._context.element(k) for k in self._rotations]
        parts = [memfile.save(self._keygen.create_relin_keys().save)]
        if elements:
            parts.append(memfile.save(self._keygen.create_galois_keys(elements).save))
        return frame.pack_parts(parts)

    def key_stream(self) -> tuple[int, Iterator[bytes]]:
        """The same as one piece: SEAL saves all rotation keys together."""
        keys = self.evaluation_keys()
        return len(keys), iter([keys])


@dataclass(frozen=True, eq=False)
class SealRows:
    """Encoded diagonals: giant step -> baby step -> SEAL plaintext."""

    rows: Mapping[int, Mapping[int, Any]]


class SealEvaluator:
    """SEAL's evaluator with the public keys it was given."""

    def __init__(self, context: _Context, rotations: Collection[int], keys: bytes | memoryview) -> None:
        api = context.api
        self._context, self._api = context, api
        self._evaluator = api.Evaluator(context.context)
        largest = (len(rotations) + 1) * _key_bytes(context.params) + _SLACK_BYTES
        parts = frame.unpack_parts(memoryview(keys), 2 if rotations else 1, largest)
        self._relin, self._galois = api.RelinKeys(), api.GaloisKeys()
        context.load(self._relin, parts[0], "relinearisation key")
        if rotations:
            context.load(self._galois, parts[1], "rotation keys")
            missing = [k for k in rotations if not self._galois.has_key(context.element(k))]
            if missing:
                raise ValueError(f"rotation keys for {missing} are missing, expected {list(rotations)}")

    def encode(self, values: NDArray[np.float64], level: int, scale: float) -> Any:
        """Real values (slots,) as a plaintext for ciphertexts of this level."""
        return self._context.encode(values, level, scale)

    def encode_linear(self, diagonals: Diagonals, level: int, scale: float) -> SealRows:
        """A linear map on slots: all diagonals encoded."""
        return SealRows(
            {
                g: {b: self.encode(d, level, scale) for b, d in row.items()}
                for g, row in diagonals.rows.items()
            }
        )

    def add(self, x: Any, y: Any) -> Any:
        """x + y: same level, same scale."""
        return self._new(self._evaluator.add, x, y)

    def add_plain(self, x: Any, y: Any) -> Any:
        """x + y: same level, same scale but for rounding."""
        y.scale = _checked_scale(y.scale, x.scale)
        return self._new(self._evaluator.add_plain, x, y)

    def multiply(self, x: Any, y: Any) -> Any:
        """x y, relinearised and rescaled."""
        product = self._new(self._evaluator.multiply, x, y)
        self._evaluator.relinearize_inplace(product, self._relin)
        self._evaluator.rescale_to_next_inplace(product)
        return product

    def multiply_plain(self, x: Any, y: Any) -> Any:
        """x y; the scales multiply."""
        return self._new(self._evaluator.multiply_plain, x, y)

    def rotate(self, x: Any, steps: Sequence[int]) -> list[Any]:
        """x rotated left by each number of slots, one key switch each."""
        return [self._rotate(x, k) for k in steps]

    def _rotate(self, x: Any, steps: int) -> Any:
        if steps % self._context.params.slots == 0:
            return x
        return self._new(self._evaluator.apply_galois, x, self._context.element(steps), self._galois)

    def fold(self, x: Any, steps: Sequence[int]) -> Any:
        """x + rot_k(x) for each k in turn."""
        for k in steps:
            x = self.add(x, *self.rotate(x, [k]))
        return x

    def linear(self, x: Any, linear: SealRows) -> Any:
        """The linear map applied to x, rescaled."""
        product = rows.linear(self, x, linear.rows)
        self._evaluator.rescale_to_next_inplace(product)
        return product

    def add_number(self, x: Any, value: float) -> Any:
        """x + value in every slot."""
        return self._new(self._evaluator.add_plain, x, self._number(value, x.parms_id(), x.scale))

    def polynomial(self, x: Any, coefficients: Sequence[float]) -> Any:
        """sum_k coefficients[k] T_k(x) for slots in [-1, 1], at the scale of x."""
        leveled = chebyshev.Leveled(x, x.coeff_modulus_size() - 1, x.scale)
        return chebyshev.evaluate(self, self._context.params, leveled, coefficients)

    def drop(self, x: Any, level: int) -> Any:
        """x at a lower level."""
        out = self._api.Ciphertext()
        self._evaluator.mod_switch_to(x, self._context.ids[level], out)
        return out

    def affine(
        self, xs: Sequence[Any], matrix: IntegerMatrix, bias: NDArray[np.float64], scale: float
    ) -> list[Any]:
        """Weighted sums, term by term, rescaled, plus numbers."""
        out = []
        for row, value in zip(matrix.rows(), bias, strict=True):
            total = self._weighted(xs, row, scale)
            self._evaluator.rescale_to_next_inplace(total)
            out.append(self.add_number(total, float(value)))
        return out

    def _weighted(self, xs: Sequence[Any], row: Sequence[tuple[int, int]], scale: float) -> Any:
        """sum_c w_c xs[c]: integers below 2^53, which SEAL encodes exactly at scale 1."""
        terms = []
        for column, weight in row:
            if abs(weight) >= _LARGEST_NUMBER:
                raise ValueError(f"a weight is {weight}, expected less than 2^53 in size with engine 'seal'")
            x = xs[column]
            term = self._new(self._evaluator.multiply_plain, x, self._number(weight, x.parms_id(), 1.0))
            term.scale = scale
            terms.append(term)
        total = self._api.Ciphertext()
        self._evaluator.add_many(terms, total)
        return total

    def _number(self, value: float, parms_id: Any, scale: float) -> Any:
        plain = self._api.Plaintext()
        self._context.encoder.encode(float(value), parms_id, scale, plain)
        return plain

    def dump(self, x: Any) -> bytes:
        """The bytes of a ciphertext, as SEAL saves them."""
        return memfile.save(x.save)

    def load(self, data: bytes | memoryview, level: int, scale: float) -> Any:
        """A ciphertext from bytes; ValueError unless it has this level and scale."""
        return self._context.load_cipher(data, level, scale)

    def _new(self, verb: Any, *arguments: Any) -> Any:
        out = self._api.Ciphertext()
        verb(*arguments, out)
        return out


def special_prime(params: CkksParams) -> int:
    """SEAL's one special prime: as large as the security allows, 60 bits at most.

    SEAL does not centre its digits, so their noise shows where this prime is no larger than q_0.
    """
    spec, log_q = params.spec, log2_rounded(params.moduli)
    room = 60 if spec.insecure else largest_log_qp(spec.log_n, spec.security) - log_q
    return primes.take(primes.below(min(60, room), spec.log_n), 1, params.moduli)[0]


def _key_bytes(params: CkksParams) -> int:
    """A bound on one key-switching key: a pair of polynomials mod QP for each prime of Q."""
    return len(params.moduli) * (2 * (len(params.moduli) + 1) * params.n * 8 + _SLACK_BYTES)


def _checked_scale(given: float, expected: float) -> float:
    if not math.isclose(given, expected, rel_tol=_SAME_SCALE):
        raise ValueError(f"scale is {given:.6g}, expected {expected:.6g}")
    return expected
