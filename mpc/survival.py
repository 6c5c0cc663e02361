"""Whether and where a party keeps checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Survival:
    """Where this party keeps checkpoints, every how many steps, and whether to go on from those there."""

    folder: Path
    every: int = 10
    resume: bool = False

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ValueError(f"checkpoints come every 1 step or more, got {self.every}")
