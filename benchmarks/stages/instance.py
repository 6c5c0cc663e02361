"""Where the stages keep their files, by the size of the instance."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SIZES = {"single": 1, "small": 100, "medium": 1000, "large": 10_000}


@dataclass(frozen=True)
class Instance:
    """One of the sizes, in the folder where the suite runs the stages."""

    name: str
    root: Path

    @property
    def images(self) -> int:
        """How many images are classified."""
        return SIZES[self.name]

    @property
    def layout(self) -> str:
        """One image as fast as possible, or thousands side by side."""
        return "latency" if self.images == 1 else "throughput"

    @property
    def io(self) -> Path:
        """What client and server exchange."""
        return self.root / "io" / self.name

    def file(self, *names: str) -> Path:
        """A file of `io`, its folder made."""
        path = self.io.joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def pixels(self) -> Path:
        """The input: one image a line, 784 numbers in 0..1."""
        return self.root / "datasets" / self.name / "intermediate" / "test_pixels.txt"

    @property
    def built(self) -> Path:
        """The folder of the plan and the model."""
        return self.root / "build" / self.layout

    def read(self, *names: str) -> bytes:
        """The bytes of a file of `io`; ValueError names the stage's missing input."""
        return read(self.io.joinpath(*names))


def read(path: Path) -> bytes:
    """A file's bytes; ValueError if an earlier stage has not written it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; did the stage before run?") from None


def stage(main: Callable[[Instance], None], arguments: Sequence[str] | None = None) -> None:
    """Run a stage's program: the size is its argument, the folder is the current one."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("size", type=int, choices=range(len(SIZES)), help=", ".join(SIZES))
    size = parser.parse_args(arguments).size
    try:
        main(Instance(list(SIZES)[size], Path.cwd()))
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
