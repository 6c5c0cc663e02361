"""Client: holds the secret key, encrypts inputs, decrypts scores. Bytes leave it, and never the key."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from he import layouts, messages
from he.ckks.frame import OVERHEAD_BYTES, Bytes, Kind
from he.ckks.streaming import sealed
from he.compiled import samples
from he.engines.choose import choose
from he.engines.engine import Engine
from he.layouts import AnyPlan
from he.model import ranges
from he.progress import progress


class Client:
    """The owner of a fresh secret key for one plan."""

    def __init__(self, plan: AnyPlan | bytes, engine: str | Engine | None = None) -> None:
        """Make the keys. plan: or its bytes, from `to_bytes`; ValueError if they are damaged or insecure.
        engine: 'native', 'cuda' or 'seal', by default 'native' where it is built.
        """
        self._plan = layouts.plan_from_bytes(plan) if isinstance(plan, bytes) else plan
        self._engine = choose(engine)
        self._owner = self._engine.owner(self._plan.params, self._plan.rotations)

    def evaluation_keys(self) -> bytes:
        """What a server needs to compute: public keys for products and for the plan's rotations."""
        return b"".join(self.key_stream()[1])

    def key_stream(self) -> tuple[int, Iterator[bytes]]:
        """(bytes in all, pieces) of the same, each key made when its turn comes: for files and channels."""
        length, pieces = self._owner.key_stream()
        name, plan = self._engine.name, self._plan
        return OVERHEAD_BYTES + length, sealed(Kind.EVALUATION_KEYS, name, plan.id, length, pieces)

    def write_evaluation_keys(self, path: str | Path) -> None:
        """Write them into a file, never all in memory at once."""
        with Path(path).open("wb") as file:
            for piece in self.key_stream()[1]:
                file.write(piece)

    def encrypt(self, x: ArrayLike) -> bytes:
        """Encrypt x (features,) or (batch, features); ValueError on another column count, NaN or infinity.

        A warning says how many samples lie outside the range that the model was fitted on, and how far.
        """
        plan, rows = self._plan, samples(x, self._plan)
        if complaint := ranges.complaint(plan.ranges, rows):
            warnings.warn(complaint, stacklevel=2)
        chunks = [rows[at : at + plan.samples] for at in range(0, len(rows), plan.samples)]
        level, scale, parts = plan.input_level, plan.params.scale, list[bytes]()
        with progress("encrypting", len(chunks) * layouts.ciphertexts(plan, Kind.REQUEST)) as tick:
            for chunk in chunks:
                for slots in layouts.spread(chunk, plan):
                    parts.append(self._owner.encrypt(slots, level, scale))
                    tick()
        return messages.pack(Kind.REQUEST, plan, self._engine, len(rows), parts)

    def decrypt(self, response: Bytes) -> NDArray[np.float64]:
        """Scores (batch, outputs) from the server's bytes; ValueError if damaged or of another plan.

        The scores carry noise that depends on the secret key: whoever passes them on, digit by digit, helps
        an attacker (Li and Micciancio, ePrint 2020/1533). Pass on classes, or scores of `decrypt_to_share`.
        """
        return self._open(response, self._owner.decrypt)

    def decrypt_to_share(
        self, response: Bytes, error: float, *, bits: int = 30, queries: int = 1
    ) -> NDArray[np.float64]:
        """Scores (batch, outputs) to be shown to others, with noise that hides what the key adds to them.

        error: the server's `Model.predicted_error`. bits: of statistical security. queries: ciphertexts whose
        scores are shown in all. `he.ckks.flooding` has the formula and its sources. ValueError with engine
        'seal', and if so much noise would swallow the scores: compile with more `precision` to share them.
        """
        owner = self._owner

        def decrypt(data: memoryview, level: int, scale: float) -> NDArray[np.float64]:
            return owner.decrypt_to_share(data, level, scale, error, bits, queries)

        return self._open(response, decrypt)

    def _open(
        self, response: Bytes, decrypt: Callable[[memoryview, int, float], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        plan = self._plan
        count, parts = messages.unpack(Kind.RESPONSE, plan, self._engine, response)
        level, scale = layouts.output(plan)
        slots = [decrypt(part, level, scale) for part in parts]
        each = layouts.ciphertexts(plan, Kind.RESPONSE)
        groups = (slots[at : at + each] for at in range(0, len(slots), each))
        return np.concatenate([layouts.gather(group, plan.samples, plan) for group in groups])[:count]

    def __repr__(self) -> str:
        return f"Client({self._plan!r}, engine={self._engine.name!r})"

    def __reduce__(self) -> str:
        raise TypeError("a Client holds a secret key and is never pickled")
