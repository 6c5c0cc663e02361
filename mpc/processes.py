"""Run one function per process, none with the caller's memory, and carry results and failures back.

On Linux the processes are forked from a server that began as a fresh interpreter and has imported what every
party needs, so that torch is loaded once a program and not once a process; elsewhere each is a fresh
interpreter. The server ends with the program that started it.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

import cloudpickle

# How long the others may go on after one has failed, so that they can say what they saw.
GRACE_S = 5.0

# What the server imports before it forks: no thread is started and no randomness drawn by it.
PRELOADED = ["mpc.party"]

# A process that cannot import the program that started it ends with 1 and says nothing to its parent.
_UNGUARDED = (
    ": it could not start; in a program's file the call must stand below `if __name__ == '__main__':`, "
    "since every process imports that file"
)


class ProcessFailed(RuntimeError):
    """A process raised, or died without a word.

    Attributes: `name`, `exit_code` (None if it still ran and was ended), `detail` (its traceback, or "").
    """

    def __init__(self, name: str, exit_code: int | None, detail: str, summary: str) -> None:
        super().__init__(f"{name}: {summary}" + (f"\n{detail}" if detail else ""))
        self.name = name
        self.exit_code = exit_code
        self.detail = detail
        self.summary = summary


class Exchange(Protocol):
    """A place where processes that start together learn each other's public values."""

    def exchange(self, value: object) -> list[Any]:
        """Give `value`, get everybody's in process order."""
        ...


@dataclass
class Meeting:
    """Where processes that know only their parent learn each other's public values."""

    _connection: Connection

    def exchange(self, value: object) -> list[Any]:
        """Give `value`, get everybody's in process order; returns when all have given theirs."""
        _send(self._connection, "exchange", value)
        values: list[Any] = cloudpickle.loads(self._connection.recv_bytes())
        return values


@dataclass
class Task:
    """One process to run: `function(meeting, *arguments)` under `name`."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass
class _Running:
    name: str
    process: BaseProcess
    connection: Connection
    offered: list[Any] = field(default_factory=list)
    result: Any = None
    finished: bool = False
    failure: ProcessFailed | None = None
    consequence: bool = False


def run_processes(tasks: Sequence[Task], timeout_s: float = 300.0) -> list[Any]:
    """Run every task in a process of its own; their results in task order.

    Raises ProcessFailed for the first process that failed of itself (a process that failed only because
    another was lost does not count before it), TimeoutError when `timeout_s` seconds pass. Either way no
    process is left behind. Functions travel by cloudpickle, so those defined in a notebook work as well.
    """
    running = [_start(task) for task in tasks]
    deadline = time.monotonic() + timeout_s
    try:
        while not all(one.finished for one in running):
            failed = [one for one in running if one.failure]
            if failed and time.monotonic() > deadline:
                break
            if failed:
                deadline = min(deadline, time.monotonic() + GRACE_S)
            elif time.monotonic() > deadline:
                late = ", ".join(one.name for one in running if not one.finished)
                raise TimeoutError(f"no result within {timeout_s:g} s from: {late}")
            _listen(running, deadline)
            _answer_exchange(running)
        _raise_first_failure(running)
        return [one.result for one in running]
    finally:
        for one in running:
            _end(one)


def _start(task: Task) -> _Running:
    context = _context()
    ours, theirs = context.Pipe()
    work = cloudpickle.dumps((task.function, task.arguments))
    process = context.Process(target=_child, args=(work, theirs), name=task.name, daemon=True)
    process.start()
    theirs.close()
    return _Running(task.name, process, ours)


def _context() -> ForkServerContext | SpawnContext:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _child(work: bytes, connection: Connection) -> None:
    try:
        function, arguments = cloudpickle.loads(work)
        _send(connection, "result", function(Meeting(connection), *arguments))
    except BaseException as error:
        consequence = isinstance(error, ConnectionError)
        summary = f"{type(error).__name__}: {error}"
        _send(connection, "error", summary, traceback.format_exc(), consequence)
        raise SystemExit(1) from None


def _send(connection: Connection, *content: object) -> None:
    # By value: multiprocessing's own pickling leaves tensors in the memory of a process that may be gone.
    connection.send_bytes(cloudpickle.dumps(content))


def _listen(running: list[_Running], deadline: float) -> None:
    by_connection = {one.connection: one for one in running if not one.finished}
    ready = wait(list(by_connection), timeout=max(0.0, deadline - time.monotonic()))
    for connection in ready:
        if isinstance(connection, Connection):
            _take_message(by_connection[connection])


def _take_message(one: _Running) -> None:
    try:
        kind, *content = cloudpickle.loads(one.connection.recv_bytes())
    except EOFError:
        one.process.join(GRACE_S)
        code = one.process.exitcode
        one.failure = ProcessFailed(
            one.name, code, "", f"died with exit code {code}{_UNGUARDED * (code == 1)}"
        )
        one.finished = True
        return
    if kind == "exchange":
        one.offered.append(content[0])
        return
    one.finished = True
    if kind == "result":
        one.result = content[0]
    else:
        summary, detail, one.consequence = content
        one.process.join(GRACE_S)
        one.failure = ProcessFailed(one.name, one.process.exitcode, detail, summary)


def _answer_exchange(running: list[_Running]) -> None:
    if all(one.offered for one in running):
        values = [one.offered.pop(0) for one in running]
        for one in running:
            one.connection.send_bytes(cloudpickle.dumps(values))


def _raise_first_failure(running: list[_Running]) -> None:
    failed = sorted((one for one in running if one.failure), key=lambda one: one.consequence)
    if failed and failed[0].failure:
        raise failed[0].failure


def _end(one: _Running) -> None:
    one.connection.close()
    one.process.join(0.5 if one.finished else 0.0)
    if one.process.is_alive():
        one.process.terminate()
        one.process.join(2.0)
    if one.process.is_alive():
        one.process.kill()
        one.process.join()
