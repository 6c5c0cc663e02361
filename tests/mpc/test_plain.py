"""Programs written for plain CrypTen run unchanged after mpc.install(); here as text, in new interpreters."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

INSTALL = """
import mpc
mpc.install(timeout_s=60)
"""


def environment(**more: str) -> dict[str, str]:
    names = ("RANK", "WORLD_SIZE", "RENDEZVOUS", "DISTRIBUTED_BACKEND")
    clean = {name: value for name, value in os.environ.items() if name not in names}
    return {**clean, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **more}


def script(folder: Path, program: str) -> list[str]:
    path = folder / "program.py"
    path.write_text(INSTALL + textwrap.dedent(program))
    return [sys.executable, str(path)]


def run(command: list[str], **more: str) -> str:
    done = subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


FORKING = """
import torch, crypten

@crypten.mpc.run_multiprocess(world_size=%d)
def program(factor):
    rank = crypten.communicator.get().get_rank()
    x = crypten.cryptensor(torch.tensor([1.5, -2.0]), src=crypten.communicator.get().get_world_size() - 1)
    return rank, ((x * x + factor).relu() / 3).get_plain_text().tolist()

if __name__ == "__main__":
    assert crypten.cfg.mpc.provider == "DEALER"
    print(program(2.0))
    crypten.init()
    print(crypten.cryptensor([2.0]).square().get_plain_text().tolist())
    crypten.uninit()
"""


@pytest.mark.parametrize("parties", [2, 3])
def test_decorated_programs_run_in_forked_processes(tmp_path: Path, parties: int) -> None:
    first, second = run(script(tmp_path, FORKING % parties)).strip().splitlines()
    results = eval(first)
    assert [rank for rank, _ in results] == list(range(parties))
    for _, values in results:
        assert values == pytest.approx([4.25 / 3, 2.0], abs=3 * 2**-16)
    assert eval(second) == [4.0]


# As CrypTen's own tests do it: spawned processes of a main program that they know nothing of, a new meeting
# for each test, the insecure dealers asked for by name.
SPAWNING = """
import multiprocessing, os, sys, tempfile
import torch, crypten

def party(rank, world_size, path, queue):
    for key, value in {"RANK": rank, "WORLD_SIZE": world_size, "RENDEZVOUS": "file://" + path,
                       "DISTRIBUTED_BACKEND": "gloo"}.items():
        os.environ[key] = str(value)
    for _ in range(2):
        crypten.init()
        crypten.cfg.mpc.provider = "TTP"
        x = crypten.cryptensor(torch.tensor([3.0, -4.0]), src=0)
        y = crypten.cryptensor(torch.tensor([0.5, 0.25]), src=1)
        result = (x * y).get_plain_text().tolist(), x.gt(y).get_plain_text().tolist()
        crypten.print_communication_stats()
        crypten.uninit()
    queue.put(result)

def main():
    crypten.cfg.mpc.provider = "TTP"
    assert not crypten.mpc.ttp_required()
    context = multiprocessing.get_context("spawn")
    path, queue = tempfile.mktemp(), context.Queue()
    processes = [context.Process(target=party, args=(rank, 2, path, queue)) for rank in range(2)]
    for process in processes:
        process.start()
    print([queue.get(timeout=100) for _ in processes])
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert not os.path.exists(path)
"""


def test_spawned_processes_need_no_call_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "tests_of_crypten.py").write_text(SPAWNING)
    command = [sys.executable, "-c", INSTALL + "import tests_of_crypten; tests_of_crypten.main()"]
    output = run(command, PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}")
    assert eval(output) == [([1.5, -1.0], [1.0, 0.0])] * 2


SEPARATE = """
import torch, crypten
crypten.init()
own = torch.full((2,), float(crypten.communicator.get().get_rank() + 1))
total = sum(crypten.cryptensor(own, src=rank) for rank in range(crypten.communicator.get().get_world_size()))
print(total.get_plain_text().tolist())
"""


def start(command: list[str], rank: int, parties: int, rendezvous: str) -> subprocess.Popen[str]:
    place = {"RANK": str(rank), "WORLD_SIZE": str(parties), "RENDEZVOUS": rendezvous}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(**place), stdout=pipe, stderr=pipe, text=True)


def test_processes_started_one_by_one_find_each_other(tmp_path: Path) -> None:
    """Also where an earlier run died and left its file behind, and where they end without a word."""
    meeting = tmp_path / "meeting"
    abandoned = start(script(tmp_path, SEPARATE), 1, 3, f"file://{meeting}")
    while not meeting.exists() or not meeting.stat().st_size:
        assert abandoned.poll() is None
    abandoned.kill()
    abandoned.communicate()
    assert meeting.stat().st_mode & 0o777 == 0o600
    processes = [start(script(tmp_path, SEPARATE), rank, 3, f"file://{meeting}") for rank in range(3)]
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert eval(output) == [6.0, 6.0]
    assert not meeting.exists()


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ({"WORLD_SIZE": "2", "RENDEZVOUS": "tcp://10.0.0.1:29500"}, "RENDEZVOUS=file:///path, got 'tcp"),
        ({"WORLD_SIZE": "2"}, "RENDEZVOUS=file:///path, got None"),
        ({"WORLD_SIZE": "4"}, "must be 1, 2 or 3 and RANK below it, got 4 and 0"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "RANK below it, got 2 and 2"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE must be a whole number, got 'two'"),
    ],
)
def test_places_that_cannot_be_taken(
    monkeypatch: pytest.MonkeyPatch, place: dict[str, str], complaint: str
) -> None:
    from mpc import plain

    for name in ("RANK", "WORLD_SIZE", "RENDEZVOUS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=complaint):
        plain._join(1.0)
