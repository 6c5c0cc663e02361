"""Server: holds a model and a client's public evaluation keys, and computes on ciphertexts it cannot read."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from he import layouts, messages
from he.ckks.frame import Bytes, Kind
from he.ckks.streaming import Read, Reader, read_exactly
from he.compiled import Model
from he.engines.choose import choose
from he.engines.engine import Engine


class Server:
    """A model, ready to serve the client whose keys it was given."""

    def __init__(self, model: Model, keys: bytes | Path | Read, engine: str | Engine | None = None) -> None:
        """Load the keys and encode the weights; ValueError if the keys are damaged or of another plan.

        keys: the bytes themselves, the path of a file that holds them, or a function that gives so many bytes
        of them; they are taken in one by one. engine: by default the one that made the keys.
        """
        self._plan = model.plan
        with _opened(keys) as read:
            reader = Reader(read)
            self._engine = choose(engine or reader.engine)
            largest = self._engine.largest_keys_bytes(self._plan.params, self._plan.rotations)
            reader.expect(Kind.EVALUATION_KEYS, self._engine.name, self._plan.id, largest)
            self._evaluator = self._engine.evaluator(self._plan.params, self._plan.rotations, reader)
            reader.finish()
            if isinstance(keys, bytes | Path):
                _expect_end(read)
        self._program = layouts.Program(self._plan, model.layers, self._evaluator)

    def predict(self, request: Bytes) -> bytes:
        """Encrypted scores for an encrypted input; ValueError if it is damaged or of another plan."""
        plan, evaluator = self._plan, self._evaluator
        count, parts = messages.unpack(Kind.REQUEST, plan, self._engine, request)
        each = layouts.ciphertexts(plan, Kind.REQUEST)
        groups = (parts[at : at + each] for at in range(0, len(parts), each))
        scores = [evaluator.dump(x) for group in groups for x in self._scores(group)]
        return messages.pack(Kind.RESPONSE, plan, self._engine, count, scores)

    def _scores(self, parts: Sequence[memoryview]) -> list[Any]:
        """The ciphertexts of the scores for those of up to `samples` samples."""
        evaluator, level, scale = self._evaluator, self._plan.input_level, self._plan.params.scale
        return self._program(lambda i: evaluator.load(parts[i], level, scale))

    def __repr__(self) -> str:
        return f"Server({self._plan!r}, engine={self._engine.name!r})"


@contextmanager
def _opened(keys: bytes | Path | Read) -> Iterator[Read]:
    if isinstance(keys, bytes | Path):
        with io.BytesIO(keys) if isinstance(keys, bytes) else keys.open("rb") as file:
            yield read_exactly(file)
    elif callable(keys):
        yield keys
    else:
        raise TypeError(f"keys are {type(keys).__name__}, expected bytes, a path or a function")


def _expect_end(read: Read) -> None:
    try:
        read(1)
    except ValueError:
        return
    raise ValueError("bytes follow the evaluation keys, expected none")
