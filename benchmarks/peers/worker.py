"""The half of a comparison that runs in the library's own environment: it answers requests line by line.

Nothing but the standard library is needed here, and Python 3.10 is enough. A request is a JSON object on
standard input, the answer one on the pipe that standard output was: {"set_up": {...}} makes the work ready
and tells the parameters; {"time": verb} gives the seconds of one call (those that the result tells itself, if
it does), right after an untimed call of its own so that neither side pays for the other's use of the caches;
{"check": verb} gives the precision of the result in bits, or null where the result is exact and right.
Whatever a library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

SetUp = Callable[[dict[str, Any]], Any]


class Wrong(Exception):
    """The result of a verb is not what it should be."""


def serve(set_up: SetUp) -> None:
    """Answer until the input ends. `set_up(case)` gives (facts, verbs, checks): dictionaries by verb.

    verbs[verb]() does the work once; checks[verb](result) gives bits of precision or None, or raises Wrong.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    state: dict[str, Any] = {"verbs": {}, "checks": {}}
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line), set_up, state)
        except BaseException as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(request: dict[str, Any], set_up: SetUp, state: dict[str, Any]) -> dict[str, Any]:
    if "set_up" in request:
        facts, state["verbs"], state["checks"] = set_up(request["set_up"])
        return {"facts": facts, "verbs": sorted(state["verbs"])}
    if "time" in request:
        call = state["verbs"][request["time"]]
        call()
        start = time.perf_counter()
        result = call()
        return {"seconds": getattr(result, "seconds_s", time.perf_counter() - start)}
    verb = request["check"]
    return {"bits": state["checks"][verb](state["verbs"][verb]())}


def bits(got: Any, expected: Any) -> float | None:
    """-log2 of the root mean square error over all values."""
    import numpy as np

    error = float(np.sqrt(np.mean(np.abs(np.asarray(got) - np.asarray(expected)) ** 2)))
    return round(-float(np.log2(error)), 1) if error else None


def checks(
    values: Any, decode: Callable[[Any], Any], decrypt: Callable[[Any], Any], read: Callable[[Any], Any]
) -> dict[str, Callable[[Any], float | None]]:
    """The checks of all verbs on a ciphertext of `values`, a NumPy array.

    `decode` takes what "encode" gives, `decrypt` a ciphertext and `read` what "decrypt" gives to numbers.
    """
    import numpy as np

    return {
        "encode": lambda got: bits(decode(got), values),
        "encrypt": lambda got: bits(decrypt(got), values),
        "decrypt": lambda got: bits(read(got), values),
        "add": lambda got: bits(decrypt(got), 2 * values),
        "multiply_plain": lambda got: bits(decrypt(got), values * values),
        "multiply": lambda got: bits(decrypt(got), values * values),
        "rotate": lambda got: bits(decrypt(got), np.roll(values, -1)),
    }
