"""Bytes of parameters, plaintexts, ciphertexts and keys: versioned, bound to the parameters, residues packed.

Each stands in a frame (`he.ckks.frame`) that names the parameters. Of what was expanded from a seed only the
seed travels. Every length is checked against the parameters before anything is allocated; a loader allocates
at most eight times the bytes it was given (with the compiled kernels).
"""

import io
import itertools
import json
import math
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import cast

from he import kernels
from he.ckks import frame, sampling, streaming
from he.ckks.cipher import Ciphertext, Plaintext
from he.ckks.frame import Kind, from_json
from he.ckks.keys import EvaluationKeys, PublicKey, SwitchingKey, digit_ranges
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring, Values
from he.ckks.sampling import SEED_BYTES

ENGINE = "native"
_HEAD = struct.Struct("<BBd")  # level, whether the second half is a seed, scale
_COUNT = struct.Struct("<I")
_LARGEST_SPEC_BYTES = 4096


def dump_params(params: CkksParams) -> bytes:
    """The spec: primes and security are derived from it again."""
    return frame.seal(Kind.PARAMS, ENGINE, bytes(16), json.dumps(asdict(params.spec)).encode())


def load_params(data: bytes, *, insecure: bool = False) -> CkksParams:
    """Parameters, checked anew as any others are; insecure ones are refused unless asked for."""
    body = frame.unseal(data, Kind.PARAMS, ENGINE, bytes(16))
    if len(body) > _LARGEST_SPEC_BYTES:
        raise ValueError(f"the spec has {len(body)} bytes, expected at most {_LARGEST_SPEC_BYTES}")
    return CkksParams.from_spec(CkksSpec.from_fields(from_json(body), insecure=insecure))


def dump_plaintext(ring: Ring, x: Plaintext) -> bytes:
    """Level, scale and packed residues."""
    body = _HEAD.pack(x.level, 0, x.scale) + kernels.pack(x.poly, ring.basis(x.level))
    return _seal(Kind.PLAINTEXT, ring, body)


def load_plaintext(ring: Ring, data: bytes | memoryview) -> Plaintext:
    """A plaintext; ValueError if it is damaged or of other parameters."""
    level, _, scale, rest = _head(ring, _unseal(Kind.PLAINTEXT, ring, data))
    return Plaintext(cast(Values, kernels.unpack(rest, ring.basis(level))), level, scale)


def dump_ciphertext(ring: Ring, x: Ciphertext) -> bytes:
    """Level, scale, packed residues of c_0, and of c_1 or the seed it came from."""
    basis = ring.basis(x.level)
    second = kernels.pack(x.data[1], basis) if x.seed is None else x.seed
    body = _HEAD.pack(x.level, x.seed is not None, x.scale) + kernels.pack(x.data[0], basis) + second
    return _seal(Kind.CIPHERTEXT, ring, body)


def load_ciphertext(ring: Ring, data: bytes | memoryview) -> Ciphertext:
    """A ciphertext; ValueError if it is damaged or of other parameters."""
    level, seeded, scale, rest = _head(ring, _unseal(Kind.CIPHERTEXT, ring, data))
    basis = ring.basis(level)
    half = kernels.packed_bytes(basis)
    expected = half + (SEED_BYTES if seeded else half)
    if len(rest) != expected:
        raise ValueError(f"{len(rest)} bytes of ciphertext given, expected {expected} at level {level}")
    if not seeded:
        return Ciphertext(cast(Values, kernels.unpack(rest, basis, (2,))), level, scale)
    seed = bytes(rest[half:])
    return Ciphertext(_seeded(rest[:half], seed, basis), level, scale, seed)


def ciphertext_bytes(params: CkksParams, level: int | None = None, *, seeded: bool = False) -> int:
    """The bytes of a ciphertext; by default of the largest one: top level, no seed."""
    half = _packed_bytes(params.n, params.moduli[: None if level is None else level + 1])
    return frame.OVERHEAD_BYTES + _HEAD.size + half + (SEED_BYTES if seeded else half)


def dump_public_key(key: PublicKey) -> bytes:
    """The seed and the packed residues of the first half."""
    body = key.seed + kernels.pack(key.data[0], key.ring.public)
    return _seal(Kind.PUBLIC_KEY, key.ring, body)


def load_public_key(ring: Ring, data: bytes | memoryview) -> PublicKey:
    """A public key; ValueError if it is damaged or of other parameters."""
    body, basis = _unseal(Kind.PUBLIC_KEY, ring, data), ring.public
    if len(body) < SEED_BYTES:
        raise ValueError(f"the public key has {len(body)} bytes, expected at least {SEED_BYTES}")
    seed = bytes(body[:SEED_BYTES])
    return PublicKey(ring, _seeded(body[SEED_BYTES:], seed, basis), seed)


def dump_evaluation_keys(keys: EvaluationKeys) -> bytes:
    """Number, exponents and levels of the automorphisms, then the relinearisation key and theirs, halves as
    seeds.
    """
    levels = {k: key.level(keys.ring) for k, key in sorted(keys.automorphisms.items())}
    others = (keys.automorphisms[k] for k in levels)
    return b"".join(
        stream_evaluation_keys(keys.ring, levels, itertools.chain([keys.relinearisation], others))
    )


def stream_evaluation_keys(
    ring: Ring, levels: Mapping[int, int], keys: Iterable[SwitchingKey]
) -> Iterator[bytes]:
    """The same piece by piece, from `keys.each_key`: no more than one key is there at a time."""
    count = len(levels)
    head = _COUNT.pack(count) + struct.pack(f"<{count}I", *levels) + bytes(levels.values())
    pieces = itertools.chain([head], (piece for key in keys for piece in _switching_pieces(ring, key)))
    length = evaluation_keys_bytes(ring.params, levels.values()) - frame.OVERHEAD_BYTES
    return streaming.sealed(Kind.SWITCHING_KEYS, ENGINE, ring.params.id, length, pieces)


def evaluation_keys_bytes(params: CkksParams, levels: Iterable[int]) -> int:
    """The bytes of a relinearisation key and of automorphisms' keys up to these levels, all in one."""
    sizes = [_COUNT.size + 1 + switching_key_bytes(params, level) for level in levels]
    return frame.OVERHEAD_BYTES + _COUNT.size + switching_key_bytes(params) + sum(sizes)


def load_evaluation_keys(ring: Ring, data: bytes | memoryview) -> EvaluationKeys:
    """Evaluation keys; ValueError if they are damaged or of other parameters."""
    body = io.BytesIO(_unseal(Kind.SWITCHING_KEYS, ring, data))
    size = body.seek(0, io.SEEK_END)
    body.seek(0)
    return _evaluation_keys(ring, streaming.read_exactly(body), size)


def read_evaluation_keys(ring: Ring, read: streaming.Read, levels: Collection[int]) -> EvaluationKeys:
    """The same as they come in, no more bytes than automorphisms of these levels take: packed residues of one
    digit at a time.
    """
    reader = streaming.Reader(read)
    largest = evaluation_keys_bytes(ring.params, levels) - frame.OVERHEAD_BYTES
    reader.expect(Kind.SWITCHING_KEYS, ENGINE, ring.params.id, largest)
    keys = _evaluation_keys(ring, reader.read, reader.length)
    reader.finish()
    return keys


def _evaluation_keys(ring: Ring, read: streaming.Read, length: int) -> EvaluationKeys:
    """Keys from a body of `length` bytes, all of which are read."""
    if length < _COUNT.size:
        raise ValueError(f"the keys have {length} bytes, expected at least {_COUNT.size}")
    (count,) = _COUNT.unpack(read(_COUNT.size))
    n, top, each = ring.params.n, ring.params.top_level, _COUNT.size + 1
    if length < _COUNT.size + each * count:
        raise ValueError(f"the keys have {length} bytes, expected at least {each * count} for {count}")
    exponents, levels = struct.unpack(f"<{count}I", read(_COUNT.size * count)), read(count)
    if list(exponents) != sorted(set(exponents)) or not all(k % 2 and 1 < k < 2 * n for k in exponents):
        raise ValueError(
            f"the exponents are {exponents!r:.200}, expected odd ones from 3 to {2 * n - 1}, ascending"
        )
    if max(levels, default=0) > top:
        raise ValueError(f"a key is of level {max(levels)}, expected at most {top}")
    expected = evaluation_keys_bytes(ring.params, levels) - frame.OVERHEAD_BYTES
    if length != expected:
        raise ValueError(f"the keys have {length} bytes, expected {expected} for {count}")
    relinearisation, *others = (_switching_key(ring, read, level) for level in (top, *levels))
    return EvaluationKeys(ring, relinearisation, dict(zip(exponents, others, strict=True)))


def switching_key_bytes(params: CkksParams, level: int | None = None) -> int:
    """The bytes of a switching key up to a level, by default the top: a seed, half a pair over QP a digit."""
    moduli = params.moduli[: None if level is None else level + 1]
    digits = math.ceil(len(moduli) / params.digit_primes)
    return SEED_BYTES + digits * _packed_bytes(params.n, moduli + params.special)


def _switching_pieces(ring: Ring, key: SwitchingKey) -> Iterator[bytes]:
    yield key.seed
    for pair in key.data:
        yield kernels.pack(pair[0].astype("uint64", copy=False), ring.extended(key.level(ring)))


def _switching_key(ring: Ring, read: streaming.Read, level: int) -> SwitchingKey:
    basis, digits, seed = ring.extended(level), len(digit_ranges(ring, level)), read(SEED_BYTES)
    out = kernels.empty((digits, 2, basis.limbs, basis.n), basis)
    for j in range(digits):
        out[j, 0] = kernels.unpack(read(kernels.packed_bytes(basis)), basis)
        sampling.uniform(seed, j, basis, out=out[j, 1])
    return SwitchingKey(kernels.compact_key(out, basis), seed)


def _seeded(data: memoryview, seed: bytes, basis: kernels.Basis) -> Values:
    """A pair whose first half is in `data` and whose second is expanded from a seed, (2, limbs, N)."""
    out = kernels.empty((2, basis.limbs, basis.n), basis)
    out[0] = kernels.unpack(data, basis)
    sampling.uniform(seed, 0, basis, out=out[1])
    return cast(Values, out)


def _packed_bytes(n: int, moduli: tuple[int, ...]) -> int:
    """Bytes of one packed polynomial: N/8 times the bits of all moduli."""
    return sum(n // 8 * q.bit_length() for q in moduli)


def _head(ring: Ring, body: memoryview) -> tuple[int, bool, float, memoryview]:
    """(level, seeded, scale, the rest), in range."""
    if len(body) < _HEAD.size:
        raise ValueError(f"the body has {len(body)} bytes, expected at least {_HEAD.size}")
    level, seeded, scale = _HEAD.unpack_from(body)
    if level > ring.params.top_level or seeded > 1:
        raise ValueError(f"level {level}, seeded {seeded}, expected at most {ring.params.top_level} and 1")
    if not (math.isfinite(scale) and scale >= 1):
        raise ValueError(f"scale is {scale}, expected a finite number of at least 1")
    return level, bool(seeded), scale, body[_HEAD.size :]


def _seal(kind: Kind, ring: Ring, body: bytes) -> bytes:
    return frame.seal(kind, ENGINE, ring.params.id, body)


def _unseal(kind: Kind, ring: Ring, data: bytes | memoryview) -> memoryview:
    return frame.unseal(data, kind, ENGINE, ring.params.id)
