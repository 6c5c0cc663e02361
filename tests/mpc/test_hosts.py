"""The command line as on real hosts: every member its own process, identity file, passphrase and roster."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pqc
from mpc.roster import Member, Roster

sys.path.insert(0, str(Path(__file__).parent.parent))

from ports import free_port

PROGRAM = """
import numpy as np

def program(party):
    x = party.secret(np.array([2.0]) if party.name == "north" else None, owner="north", size=(1,))
    y = party.secret(np.array([21.0]) if party.name == "south" else None, owner="south", size=(1,))
    return party.reveal(x * y).item()
"""
TRAINING = """
import hashlib

import numpy as np
import torch

import mpc

def program(party):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 4)), (rng.random((60, 1)) < 0.5).astype(float)
    x = party.secret(x if party.name == "north" else None, owner="north", size=x.shape)
    y = party.secret(y if party.name == "south" else None, owner="south", size=y.shape)
    model = mpc.LogisticRegression(steps=STEPS, batch_size=16)
    model.fit(x, y, checkpoints=mpc.Checkpoints.of(party, "model"))
    weights = torch.cat([party.reveal(model.coef_), party.reveal(model.intercept_)])
    return hashlib.sha256(weights.numpy().tobytes()).hexdigest()
"""
NAMES = ("north", "south", "helper")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three identities, their roster and a program."""
    folder = tmp_path_factory.mktemp("hosts")
    (folder / "passphrase").write_text("correct horse\n")
    members = []
    for name in NAMES:
        identity = pqc.Identity.create(name)
        identity.save(folder / f"{name}.identity", passphrase="correct horse")
        members.append(Member(name, identity.fingerprint, ("127.0.0.1", free_port())))
    (folder / "parties.toml").write_text(Roster(tuple(members[:2]), members[2]).to_toml())
    (folder / "program.py").write_text(PROGRAM)
    return folder


def start(site: Path, name: str, *command: str, parties: str = "parties.toml") -> subprocess.Popen[str]:
    options = ["-i", f"{name}.identity", "-p", parties, "--passphrase-file", "passphrase", "--timeout", "120"]
    return subprocess.Popen(
        [sys.executable, "-m", "mpc", *command, *options],
        cwd=site,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def train(folder: Path, copy: str, *options: str) -> list[subprocess.Popen[str]]:
    """Everybody's process, with checkpoints of each party in its own folder."""
    parties = [
        start(folder, name, "run", "train.py", "--checkpoints", f"{copy}-{name}", "--every", "1", *options)
        for name in NAMES[:2]
    ]
    return [*parties, start(folder, "helper", "dealer")]


def saved(folder: Path, copy: str) -> int:
    """The last step that is saved at both parties, -1 without any."""
    steps = [
        max((int(path.suffix[1:]) for path in (folder / f"{copy}-{name}").glob("model.[0-9]*")), default=-1)
        for name in NAMES[:2]
    ]
    return min(steps)


def kill_one(folder: Path, rng: random.Random, victim: int, processes: list[subprocess.Popen[str]]) -> None:
    """kill -9 a process shortly after a new checkpoint, at whatever it is doing then; the others must end."""
    before = saved(folder, "killed")
    while saved(folder, "killed") <= before:
        assert all(process.poll() is None for process in processes), list(finish(processes))
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.2))
    processes[victim].kill()
    results = list(finish(processes))
    assert results[victim][0] == -signal.SIGKILL
    for name, (code, out, err) in zip(NAMES[:2], results[:2], strict=True):
        if name != NAMES[victim]:
            assert (code, out) == (1, ""), (out, err)
            assert NAMES[victim] in err


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kills", [1, 20])
def test_a_training_survives_kills_bit_for_bit(site: Path, tmp_path: Path, kills: int) -> None:
    """The uninterrupted training starts from a copy of the first checkpoint: the same seeds."""
    folder, rng = tmp_path / "site", random.Random(kills)
    shutil.copytree(site, folder)
    (folder / "train.py").write_text(TRAINING.replace("STEPS", str(10 + 15 * kills)))
    processes = train(folder, "killed")
    while saved(folder, "killed") < 0:
        assert all(process.poll() is None for process in processes), list(finish(processes))
        time.sleep(0.01)
    for kill in range(kills):
        kill_one(folder, rng, rng.randrange(3), processes)
        if kill == 0:
            for name in NAMES[:2]:
                shutil.copytree(folder / f"killed-{name}", folder / f"whole-{name}")
        processes = train(folder, "killed", "--resume")
    survived = list(finish(processes))
    whole = list(finish(train(folder, "whole", "--resume")))
    assert [code for code, _, _ in survived + whole] == [0] * 6, survived + whole
    weights = {out.strip() for _, out, _ in (*survived[:2], *whole[:2])}
    assert len(weights) == 1
    assert len(weights.pop()) == 64


def finish(processes: list[subprocess.Popen[str]]) -> Iterator[tuple[int, str, str]]:
    """What each gave: a training that is long, or a busy machine, is no failure, pytest's own limit is."""
    for process in processes:
        out, err = process.communicate()
        yield process.returncode, out, err


def test_a_program_runs_at_two_parties_with_a_dealer(site: Path) -> None:
    processes = [
        start(site, name, "run", "program.py", "--comparison", "0.04,12.5e6") for name in ("north", "south")
    ]
    processes.append(start(site, "helper", "dealer"))
    results = list(finish(processes))
    assert [code for code, _, _ in results] == [0, 0, 0], results
    assert [out.strip() for _, out, _ in results] == ["42.0", "42.0", ""]


def test_three_parties_without_a_dealer(site: Path) -> None:
    members = Roster.load(site / "parties.toml").members
    (site / "three.toml").write_text(Roster(members).to_toml())
    processes = [
        start(site, name, "run", "program.py", "--sharing", "replicated", parties="three.toml")
        for name in NAMES
    ]
    assert [(code, out.strip()) for code, out, _ in finish(processes)] == [(0, "42.0")] * 3


def test_check_reports_every_other_member(site: Path) -> None:
    for code, out, err in finish([start(site, name, "check") for name in NAMES]):
        assert code == 0, err
        assert out.count("agrees") == 2


def test_different_programs_and_settings_are_an_error_at_both(site: Path) -> None:
    (site / "other.py").write_text(PROGRAM.replace("x * y", "x + y"))
    processes = [
        start(site, "north", "run", "program.py", "--comparison", "dcf"),
        start(site, "south", "run", "other.py"),
    ]
    for code, _, err in finish(processes):
        assert code == 1
        assert "the parties do not agree: comparison at" in err
        assert "; program at" in err


def test_different_rosters_are_an_error(site: Path) -> None:
    text = (site / "parties.toml").read_text()
    stranger = pqc.Identity.create("helper")
    theirs = Roster.load(site / "parties.toml").dealer
    assert theirs is not None
    (site / "changed.toml").write_text(text.replace(theirs.fingerprint, stranger.fingerprint))
    processes = [
        start(site, "north", "run", "program.py"),
        start(site, "south", "run", "program.py", parties="changed.toml"),
    ]
    for code, _, err in finish(processes):
        assert code == 1
        assert "the parties do not agree: roster at" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "missing.py"], "missing.py"),
        (["run", "empty.py"], "defines no function program"),
        (["run", "program.py", "--resume"], "--resume needs --checkpoints"),
        (["run", "program.py", "--checkpoints", "x", "--every", "0"], "every 1 step or more, got 0"),
        (["run", "program.py", "--comparison", "fast"], "comparison is 'tree', 'dcf' or a mpc.cost.Network"),
    ],
)
def test_bad_programs_are_refused(site: Path, arguments: list[str], message: str) -> None:
    (site / "empty.py").write_text("")
    for code, _, err in finish([start(site, "north", *arguments)]):
        assert code == 1
        assert message in err


def test_init_makes_an_identity_and_a_block_for_the_roster(tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("correct horse")
    command = [sys.executable, "-m", "mpc", "init", "east", "--address", "10.0.0.3:7001"]
    command += ["--passphrase-file", "passphrase"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    identity = pqc.Identity.load(tmp_path / "east.identity", passphrase="correct horse")
    roster = Roster.from_toml(result.stdout.split("\n", 1)[1])
    assert roster.parties == (Member("east", identity.fingerprint, ("10.0.0.3", 7001)),)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert again.returncode == 1
    assert "east.identity" in again.stderr
