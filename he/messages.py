"""Requests and responses: a number of samples and their ciphertexts, framed for their plan."""

import math
import struct
from collections.abc import Sequence

from he import layouts
from he.ckks import frame, streaming
from he.ckks.frame import Bytes
from he.engines.engine import Engine
from he.layouts import AnyPlan

_COUNT = struct.Struct("<Q")
LARGEST_BATCH = 1 << 24  # samples in one message


def pack(kind: frame.Kind, plan: AnyPlan, engine: Engine, count: int, ciphertexts: Sequence[bytes]) -> bytes:
    """`count` samples in ciphertexts, as one message."""
    pieces = [_COUNT.pack(count)]
    for data in ciphertexts:
        pieces += [frame.PART_LENGTH.pack(len(data)), data]
    length = sum(map(len, pieces))
    return b"".join(streaming.sealed(kind, engine.name, plan.id, length, pieces))


def unpack(kind: frame.Kind, plan: AnyPlan, engine: Engine, message: Bytes) -> tuple[int, list[memoryview]]:
    """(samples, ciphertexts) of a message; ValueError if it is damaged or of another plan."""
    body = frame.unseal(message, kind, engine.name, plan.id)
    if len(body) < _COUNT.size:
        raise ValueError(f"the body has {len(body)} bytes, expected at least {_COUNT.size}")
    (count,) = _COUNT.unpack_from(body)
    if not 1 <= count <= LARGEST_BATCH:
        raise ValueError(f"{count} samples given, expected 1 to {LARGEST_BATCH}")
    return count, frame.unpack_parts(
        body[_COUNT.size :],
        _ciphertexts(kind, plan, count),
        engine.largest_ciphertext_bytes(plan.params),
    )


def largest_bytes(kind: frame.Kind, plan: AnyPlan, engine: Engine, samples: int) -> int:
    """A bound on the bytes of a message of so many samples."""
    each = 8 + engine.largest_ciphertext_bytes(plan.params)
    return frame.OVERHEAD_BYTES + _COUNT.size + _ciphertexts(kind, plan, samples) * each


def samples_in(message: Bytes) -> int:
    """The number of samples that a message says it has, unchecked; ValueError if it is too short for one."""
    if len(message) < frame.OVERHEAD_BYTES + _COUNT.size:
        raise ValueError(
            f"{len(message)} bytes given, expected at least {frame.OVERHEAD_BYTES + _COUNT.size}"
        )
    return int(_COUNT.unpack_from(message, frame.HEADER.size)[0])


def _ciphertexts(kind: frame.Kind, plan: AnyPlan, samples: int) -> int:
    return math.ceil(samples / plan.samples) * layouts.ciphertexts(plan, kind)
