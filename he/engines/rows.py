"""A linear map out of an engine's smaller verbs, for engines without a faster way of their own."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

Cipher = TypeVar("Cipher")
Plain = TypeVar("Plain", contravariant=True)


class RowEvaluator(Protocol[Cipher, Plain]):
    """The smaller verbs."""

    def add(self, x: Cipher, y: Cipher) -> Cipher:
        """x + y."""

    def multiply_plain(self, x: Cipher, y: Plain) -> Cipher:
        """x y; the scales multiply."""

    def rotate(self, x: Cipher, steps: Sequence[int]) -> list[Cipher]:
        """x rotated left by each number of slots."""


def linear(engine: RowEvaluator[Cipher, Plain], x: Cipher, rows: Mapping[int, Mapping[int, Plain]]) -> Cipher:
    """sum_g rot_g(sum_b rows[g][b] * rot_b(x)); `rows` and each row have at least one entry."""
    steps = sorted({b for row in rows.values() for b in row})
    babies = dict(zip(steps, engine.rotate(x, steps), strict=True))
    giants = []
    for giant, row in rows.items():
        inner = _sum(engine, [engine.multiply_plain(babies[b], plain) for b, plain in row.items()])
        giants.extend(engine.rotate(inner, [giant]))
    return _sum(engine, giants)


def _sum(engine: RowEvaluator[Cipher, Plain], terms: list[Cipher]) -> Cipher:
    total = terms[0]
    for term in terms[1:]:
        total = engine.add(total, term)
    return total
