"""Checks of what comes from outside: type and size, with both numbers in the message."""

import re

Buffer = bytes | bytearray | memoryview

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def as_bytes(data: object, what: str) -> bytes:
    """Return `data` as bytes. Raises TypeError for anything that is not bytes, bytearray or memoryview."""
    if type(data) is bytes:
        return data
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"{what}: expected bytes, got {type(data).__name__}")


def flat(data: Buffer) -> memoryview:
    """Return a contiguous buffer of any shape as its bytes, not copied. Raises TypeError."""
    view = memoryview(data)
    return view.cast("B") if view.nbytes else memoryview(b"")  # an empty table cannot be cast


def flat_writable(buffer: bytearray | memoryview) -> memoryview:
    """Return a writable contiguous buffer as its bytes. Raises TypeError for one that is read-only."""
    view = memoryview(buffer)
    if view.readonly:
        raise TypeError(f"buffer: expected a writable one, got a read-only {type(buffer).__name__}")
    return flat(view)


def exact_bytes(data: object, size: int, what: str) -> bytes:
    """Return `data` as bytes of exactly `size`. Raises TypeError or ValueError."""
    raw = as_bytes(data, what)
    if len(raw) != size:
        raise ValueError(f"{what}: expected {size} bytes, got {len(raw)}")
    return raw


def checked_name(name: object) -> str:
    """Return a party's name: 1 to 64 of A-Z a-z 0-9 . _ - and no sign first. Raises ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"name: expected str, got {type(name).__name__}")
    if not NAME.fullmatch(name):
        raise ValueError(
            f"name: expected 1 to 64 letters, digits or . _ - (letter or digit first), got {name!r}"
        )
    return name


class Secret:
    """Base of objects that hold a secret: they show no content and refuse to be pickled or copied."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> str:
        raise TypeError(f"{type(self).__name__} holds a secret and is not pickled; save it with a passphrase")
