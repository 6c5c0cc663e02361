"""Openings of several protocols in one message."""

from __future__ import annotations

import numpy as np

from mpc.protocols.opening import Array, Part, Protocol, together


def opens(*steps: list[Array]) -> Protocol[list[list[Array]]]:
    seen = []
    for step in steps:
        seen.append((yield [Part(share) for share in step]))
    return seen


def test_protocols_share_rounds_and_get_their_own_values() -> None:
    """Three protocols of two, no and one step, beside a second party who sends the same: two messages."""
    numbers = np.array([2**63 + 1, 2**64 - 1], dtype=np.uint64)
    octets = np.array([[7, 0, 255]], dtype=np.uint8)
    messages = []

    def gather(message: Array) -> list[Array]:
        messages.append(message.size)
        return [message, message]

    results = together([opens([numbers], [octets, numbers]), opens(), opens([octets])], gather)
    assert messages == [16 + 3, 3 + 16]
    doubled = numbers * np.uint64(2)
    assert np.array_equal(results[0][0][0], doubled)
    assert np.array_equal(results[0][1][0], np.zeros_like(octets))
    assert np.array_equal(results[0][1][1], doubled)
    assert results[1] == []
    assert np.array_equal(results[2][0][0], np.zeros_like(octets))


def test_values_are_the_protocols_own() -> None:
    """What one protocol does to an opened value, no other sees."""
    share = np.array([5], dtype=np.uint64)
    ((first,),), ((second,),) = together([opens([share]), opens([share])], lambda message: [message])
    first += np.uint64(1)
    assert share[0] == 5
    assert second[0] == 5


def test_nothing_to_run() -> None:
    assert together([], lambda message: [message]) == []
