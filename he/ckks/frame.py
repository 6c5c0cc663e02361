"""The frame around everything that travels: magic, version, kind, engine, whose it is, length, checksum.

The checksum (SHA-256, first 16 bytes) detects accidents: a cut file, a flipped bit, the wrong plan. It is no
authentication: whoever can change the body can change the checksum. Authenticity comes from the channel.
"""

import hashlib
import json
import struct
from enum import IntEnum
from typing import TypeAlias

MAGIC = b"LWHE"
VERSION = 1
HEADER = struct.Struct("<4sBB8s16sQ")  # magic, version, kind, engine, id, length of the body
SUM_BYTES = 16
PART_LENGTH = struct.Struct("<Q")

Bytes: TypeAlias = bytes | bytearray | memoryview
OVERHEAD_BYTES = HEADER.size + SUM_BYTES


class Kind(IntEnum):
    """What a frame holds."""

    PLAN = 1
    EVALUATION_KEYS = 2
    REQUEST = 3
    RESPONSE = 4
    PARAMS = 5
    PLAINTEXT = 6
    CIPHERTEXT = 7
    PUBLIC_KEY = 8
    SWITCHING_KEYS = 9
    MODEL = 10


def seal(kind: Kind, engine: str, owner: bytes, body: bytes) -> bytes:
    """Frame `body`; owner: the 16-byte id of the plan or the parameters it is for."""
    head = HEADER.pack(MAGIC, VERSION, kind, engine.encode().ljust(8, b"\0"), owner, len(body))
    return b"".join((head, body, _checksum(head, body)))


def unseal(data: Bytes, kind: Kind, engine: str, owner: bytes) -> memoryview:
    """The body of a frame, after every field of its header and its checksum were checked.

    TypeError if `data` is not bytes; ValueError naming what was given and what was expected otherwise.
    """
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data is {type(data).__name__}, expected bytes")
    view = memoryview(data).cast("B")
    if len(view) < OVERHEAD_BYTES:
        raise ValueError(f"{len(view)} bytes given, expected at least {OVERHEAD_BYTES}: it was cut short")
    magic, version, given_kind, given_engine, given_owner, length = HEADER.unpack(view[: HEADER.size])
    expect("magic", magic, MAGIC)
    expect("version", version, VERSION)
    expect("kind", kind_name(given_kind), kind.name)
    if len(view) != OVERHEAD_BYTES + length:
        raise ValueError(f"{len(view)} bytes given, expected {OVERHEAD_BYTES + length} by its own header")
    body = view[HEADER.size : -SUM_BYTES]
    expect("checksum", bytes(view[-SUM_BYTES:]).hex(), _checksum(view[: HEADER.size], body).hex())
    expect("engine", engine_name(given_engine), engine)
    expect("id of plan or parameters", given_owner.hex(), owner.hex())
    return body


def engine_of(data: Bytes) -> str:
    """The engine that a frame names, unchecked otherwise; ValueError if it is cut short."""
    if len(data) < OVERHEAD_BYTES:
        raise ValueError(f"{len(data)} bytes given, expected at least {OVERHEAD_BYTES}: it was cut short")
    return engine_name(HEADER.unpack_from(data)[3])


def pack_parts(parts: list[bytes]) -> bytes:
    """Byte strings one after another, each behind its length (8 bytes, little endian)."""
    return b"".join(piece for part in parts for piece in (PART_LENGTH.pack(len(part)), part))


def unpack_parts(body: memoryview, count: int, largest: int) -> list[memoryview]:
    """The `count` byte strings of `pack_parts`, none longer than `largest` bytes, and nothing behind them."""
    parts, at = [], 0
    for index in range(count):
        if len(body) - at < 8:
            raise ValueError(f"part {index + 1} of {count} is missing: the body has {len(body)} bytes")
        (length,) = PART_LENGTH.unpack_from(body, at)
        if length > min(largest, len(body) - at - 8):
            raise ValueError(
                f"part {index + 1} has {length} bytes, expected at most {largest}, {len(body) - at - 8} left"
            )
        parts.append(body[at + 8 : at + 8 + length])
        at += 8 + length
    if at != len(body):
        raise ValueError(f"the body has {len(body)} bytes, expected {at} for {count} parts")
    return parts


def from_json(body: bytes | memoryview) -> object:
    """The JSON in a body; ValueError if it is none."""
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is no JSON, expected JSON: {error}") from error


def _checksum(head: bytes | memoryview, body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(head)
    digest.update(body)
    return digest.digest()[:SUM_BYTES]


def engine_name(field: bytes) -> str:
    """The engine in a header."""
    return field.rstrip(b"\0").decode("ascii", "replace")


def kind_name(kind: int) -> str:
    """A kind as errors name it."""
    return Kind(kind).name if kind in set(Kind) else f"unknown kind {kind}"


def expect(name: str, given: object, expected: object) -> None:
    """ValueError with both unless they are equal."""
    if given != expected:
        raise ValueError(f"{name} is {given!r}, expected {expected!r}")
