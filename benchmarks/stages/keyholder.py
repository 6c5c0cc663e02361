"""The process that holds the client's secret key between stages; it never tells the key.

Who may open its socket is who may enter its folder: this user alone.
"""

from __future__ import annotations

import multiprocessing
import os
import selectors
import time
from multiprocessing.connection import Client as Dial
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import he

LONGEST_S = 3600.0
LOOK_S = 2.0
Answer = NDArray[np.float64] | bytes


def start(plan: bytes, keys: Path, folder: Path) -> None:
    """Make the keys in a new process, write the public ones, and leave it listening in `folder`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    address = folder / "keyholder"
    if address.exists():
        raise ValueError(
            f"{address} exists: another holder of keys listens there, or died; remove the folder"
        )
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    context.Process(target=_detach, args=(plan, keys, str(address), theirs)).start()
    theirs.close()
    if (problem := ours.recv()) is not None:
        raise ValueError(problem)


def ask(folder: Path, verb: str, content: Any) -> Any:
    """`encrypt` an array, or `decrypt` bytes; ValueError if no process listens, or says what is wrong."""
    try:
        with Dial(str(folder / "keyholder")) as connection:
            connection.send((verb, content))
            well, answer = connection.recv()
    except (OSError, EOFError):
        raise ValueError(f"nobody holds a key at {folder}: run client_key_generation first") from None
    if not well:
        raise ValueError(answer)
    return answer


def _detach(plan: bytes, keys: Path, address: str, pipe: Any) -> None:
    """Leave the stage's session, so that the stage can end; the pipe tells it when the keys are written."""
    if os.fork():
        os._exit(0)
    os.setsid()
    try:
        client = he.Client(plan)
        client.write_evaluation_keys(keys)
        listener = Listener(address)
    except (ValueError, OSError) as error:
        pipe.send(str(error))
        os._exit(1)
    pipe.send(None)
    pipe.close()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):  # whoever waits for the stage's output must not wait for this process
        os.dup2(null, stream)
    _serve(client, listener, Path(address))
    os._exit(0)


def _serve(client: he.Client, listener: Listener, address: Path) -> None:
    last = time.monotonic()
    with listener, selectors.DefaultSelector() as ready:
        ready.register(listener._listener._socket, selectors.EVENT_READ)  # type: ignore[attr-defined]
        while address.exists() and time.monotonic() - last < LONGEST_S:
            if ready.select(LOOK_S):
                with listener.accept() as connection:
                    _answer(client, connection)
                last = time.monotonic()


def _answer(client: he.Client, connection: Any) -> None:
    try:
        verb, content = connection.recv()
        verbs = {"encrypt": client.encrypt, "decrypt": client.decrypt}
        answer: tuple[bool, Any] = (True, verbs[verb](content))
    except (ValueError, TypeError, KeyError, EOFError) as error:
        answer = (False, str(error))
    connection.send(answer)
