"""What an operation of a network takes while it is read, and where it stands."""

from dataclasses import dataclass
from typing import Any

from he.model.builder import Builder
from he.model.refusals import Refused


@dataclass(frozen=True)
class Value:
    """One of the builder's values among the arguments of an operation; all others are constants."""

    place: int


@dataclass(frozen=True)
class Context:
    """Where an operation stands: its name and what it gives on a few samples, a tensor or an array."""

    builder: Builder
    name: str
    result: Any

    def refuse(self, expected: str) -> Refused:
        """The error that says what to take instead."""
        return Refused(f"{self.name} cannot be read, expected {expected}")
