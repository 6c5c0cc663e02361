"""A training between hospitals far apart: 40 ms from one to the other and 100 Mbit/s, made by `tc netem`.

    python examples/far_apart.py

Two hospitals and a helper run `python -m mpc`, each in a network namespace with a line of its own. Shown is
what `mpc.cost` foretold from a run without a network in between, beside what it took. Needs Linux, the right
to make network namespaces, iproute2 and the kernel's netem; the exit status is 2, with the reason, where one
is missing, and 1 if the weights are not those of the same training in the clear.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

import mpc
import pqc
from mpc.cost import Cost, Network
from mpc.roster import Member, Roster

PARTIES, HELPER, PORT, PASSPHRASE = ("north", "south"), "helper", 7001, "for this run only"
LINE = Network(latency_s=0.04, bandwidth_bytes_s=100e6 / 8)
NETEM = ("netem", "delay", "40ms", "rate", "100mbit", "limit", "100000")
TIMEOUT_S = 300.0
# A gradient is a mean over rows of x times the sigmoid's error, which is at most 2^-8.
BOUND = 2.0**-7


def program(party: mpc.Party) -> str:
    """The hospitals' program: 15 columns at each, the labels at the second, and the model opened to both."""
    from sklearn.datasets import load_breast_cancer  # the helper needs none of it

    data = load_breast_cancer()
    own = data.data[:100, :15] if party.rank == 0 else data.data[:100, 15:]
    x = mpc.join_columns(party, mpc.Scaling.of(own).apply(own), dict.fromkeys(PARTIES, 15), 100)
    labels = 1.0 - data.target[:100].reshape(-1, 1)
    y = party.secret(labels if party.rank == 1 else None, owner=1, size=(100, 1))
    model = training().fit(x, y)
    weights, bias = party.reveal(model.coef_), party.reveal(model.intercept_)
    assert weights is not None
    assert bias is not None
    return json.dumps({"weights": [*weights.reshape(-1).tolist(), bias.item()], "cost": vars(party.cost())})


def training() -> mpc.LogisticRegression:
    return mpc.LogisticRegression(steps=5, learning_rate=0.5)


def in_the_clear() -> list[float]:
    """The weights and the bias of the same steps on the pooled table."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    x = torch.from_numpy(mpc.Scaling.of(data.data[:100]).apply(data.data[:100]))
    model = training().fit(x, torch.from_numpy(1.0 - data.target[:100].reshape(-1, 1))).in_the_clear()
    return [*model.weights.reshape(-1).tolist(), model.bias.item()]


class Lines:
    """A network namespace for each name, each behind a line with the queueing discipline `shape` to a bridge.

    `address(name)` is where it is, `command(name)` what to put before a command that is to run there. Raises
    OSError with the reason where such lines cannot be made; leaving the context takes all away.
    """

    def __init__(self, names: Sequence[str], shape: Sequence[str] = NETEM) -> None:
        self._names = tuple(names)
        self._shape = shape
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            hub = self._space("hub", undo)
            _do("ip", "-n", hub, "link", "add", "bridge", "type", "bridge")
            _do("ip", "-n", hub, "link", "set", "bridge", "up")
            for number, name in enumerate(self._names):
                self._lay(self._space(name, undo), hub, f"port{number}", self.address(name)[0])
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def address(self, name: str) -> tuple[str, int]:
        return f"10.77.0.{self._names.index(name) + 1}", PORT

    def command(self, name: str) -> list[str]:
        return ["ip", "netns", "exec", _space_of(name)]

    def _space(self, name: str, undo: ExitStack) -> str:
        space = _space_of(name)
        _do("ip", "netns", "add", space)
        undo.callback(_do, "ip", "netns", "del", space)
        return space

    def _lay(self, space: str, hub: str, port: str, host: str) -> None:
        _do("ip", "-n", space, "link", "add", "line", "type", "veth", "peer", "name", port, "netns", hub)
        _do("ip", "-n", hub, "link", "set", port, "master", "bridge", "up")
        _do("ip", "-n", space, "addr", "add", f"{host}/24", "dev", "line")
        _do("ip", "-n", space, "link", "set", "lo", "up")
        _do("ip", "-n", space, "link", "set", "line", "up")
        if self._shape:
            _do("tc", "-n", space, "qdisc", "add", "dev", "line", "root", *self._shape)


def _space_of(name: str) -> str:
    # Two runs at once must not take each other's.
    return f"latticework-{os.getpid()}-{name}"


def _do(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except FileNotFoundError as missing:
        raise OSError(f"{command[0]} is not installed (iproute2)") from missing
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")


def obstacle() -> str | None:
    """Why such a line cannot be made here, None if it can."""
    try:
        with Lines(["probe"]):
            return None
    except OSError as error:
        return str(error)


def run_far_apart(folder: Path, shape: Sequence[str] = NETEM) -> list[dict[str, Any]]:
    """What the program gives at each hospital; RuntimeError with what a member said if it fails."""
    names = (*PARTIES, HELPER)
    (folder / "passphrase").write_text(PASSPHRASE)
    with Lines(names, shape) as lines:
        members = []
        for name in names:
            identity = pqc.Identity.create(name)
            identity.save(folder / f"{name}.identity", passphrase=PASSPHRASE)
            members.append(Member(name, identity.fingerprint, lines.address(name)))
        (folder / "parties.toml").write_text(Roster(tuple(members[:2]), members[2]).to_toml())
        running = [_start(folder, lines, name) for name in names]
        said = [process.communicate(timeout=TIMEOUT_S) for process in running]
    for name, process, (_, complaint) in zip(names, running, said, strict=True):
        if process.returncode:
            raise RuntimeError(f"{name}: {complaint}")
    return [json.loads(out) for out, _ in said[: len(PARTIES)]]


def _start(folder: Path, lines: Lines, name: str) -> subprocess.Popen[str]:
    work = ["dealer"] if name == HELPER else ["run", str(Path(__file__).resolve())]
    options = ["-i", f"{name}.identity", "-p", "parties.toml", "--passphrase-file", "passphrase"]
    return subprocess.Popen(  # noqa: S603
        [*lines.command(name), sys.executable, "-m", "mpc", *work, *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def error_of(weights: list[float]) -> float:
    """The largest difference from the clear training."""
    return float(np.abs(np.array(weights) - np.array(in_the_clear())).max())


def main() -> int:
    if reason := obstacle():
        print(f"lines of 40 ms and 100 Mbit/s cannot be made here: {reason}")
        return 2
    near = Cost(**json.loads(mpc.run_local(program, 2, names=PARTIES)[0])["cost"])
    with tempfile.TemporaryDirectory() as folder:
        first, _ = run_far_apart(Path(folder))
    far = Cost(**first["cost"])
    print(
        f"{far.rounds} rounds, {far.bytes_sent:,} bytes sent, {far.dealer_bytes_received:,} from the helper"
    )
    print(f"without a network {near.seconds_s:.1f} s, foretold {near.seconds_on(LINE):.1f} s, ", end="")
    print(f"measured {far.seconds_s:.1f} s")
    print(f"largest difference from the clear weights: {error_of(first['weights']):.1e}")
    return int(error_of(first["weights"]) > BOUND)


if __name__ == "__main__":
    sys.exit(main())
