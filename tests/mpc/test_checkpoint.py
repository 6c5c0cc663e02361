"""Checkpoints: a training that goes on takes the same steps bit for bit, and nothing else is gone on from."""

from __future__ import annotations

import resource
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mpc
from mpc.checkpoint import Checkpoints, _unpack
from mpc.engine import share_of
from mpc.linear import LogisticRegression
from mpc.network import Network
from mpc.optimise import SGD, Adam
from mpc.processes import ProcessFailed
from mpc.stopping import EarlyStop
from mpc.survival import Survival

ROWS, FEATURES, EVERY = 24, 3, 2


def data(party: mpc.Party) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(ROWS, FEATURES)), (rng.random((ROWS, 1)) < 0.5).astype(float)
    first, last = party.rank == 0, party.rank == party.world_size - 1
    return (
        party.secret(x if first else None, owner=0, size=x.shape),
        party.secret(y if last else None, owner=party.world_size - 1, size=y.shape),
    )


def regression(party: mpc.Party, checkpoints: Checkpoints) -> list[Any]:
    """Balanced weights and early stopping: both are part of what goes on."""
    x, y = data(party)
    model = LogisticRegression(
        steps=4, batch_size=8, class_weight="balanced", patience=2, check_every=2, schedule="cosine"
    )
    model.fit(x[:20], y[:20], (x[20:], y[20:]), checkpoints=checkpoints)
    return [model.coef_, model.intercept_]


def network(
    party: mpc.Party, checkpoints: Checkpoints, optimiser: SGD | Adam, *middle: nn.Module
) -> list[Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(FEATURES, 2), *middle, nn.Linear(2, 1))
    x, y = data(party)
    trained = Network.share(party, model, owner=0)
    stop = EarlyStop(x[20:], y[20:], patience=1, check_every=2)
    trained.fit(
        x[:20], y[:20], optimiser=optimiser, steps=4, batch_size=4, stop=stop, checkpoints=checkpoints
    )
    return [tensor for tensors in trained._tensors for tensor in tensors.values()]


TRAININGS: dict[str, Callable[..., list[Any]]] = {
    "regression": regression,
    "sgd": lambda party, checkpoints: network(party, checkpoints, SGD(), nn.ReLU()),
    "adam": lambda party, checkpoints: network(party, checkpoints, Adam(), nn.BatchNorm1d(2)),
}


class Copying(Checkpoints):
    """Copies the folder after every save, as a crash at that moment would leave it."""

    folder: Path

    def _save(self, step: int, state: Any) -> None:
        super()._save(step, state)
        shutil.copytree(self._survival.folder, self.folder / f"after-{step}")


def bits(weights: list[Any]) -> list[bytes]:
    return [share_of(weight)[0].numpy().tobytes() for weight in weights]


def go_on(party: mpc.Party, name: str, folder: Path) -> dict[str, Any]:
    """Train once without a break, then from every checkpoint; parties come back one checkpoint apart."""
    train, own = TRAININGS[name], folder / name / party.name
    whole = Copying(party, name, Survival(own / "whole", EVERY))
    whole.folder = own
    finished = train(party, whole)
    values, shares = [party.reveal(weight) for weight in finished], bits(finished)
    differences = []
    copies = sorted(own.glob("after-*"), key=lambda path: int(path.name.removeprefix("after-")))
    # In the second case the first party had saved one checkpoint more when everything stopped.
    for case, found in enumerate([copies[1], copies[1 if party.rank == 0 else 0]]):
        kept = own / f"case-{case}"
        shutil.copytree(found, kept)
        again = train(party, Checkpoints(party, name, Survival(kept, EVERY, resume=True)))
        differences += [bits(again) != shares]
        differences += [
            not torch.equal(party.reveal(weight), value)  # type: ignore[arg-type]
            for weight, value in zip(again, values, strict=True)
        ]
    return {"runs": len(copies), "differences": differences, "folder": str(own)}


def go_on_all(party: mpc.Party, work: tuple[Path, list[str]]) -> dict[str, dict[str, Any]]:
    folder, names = work
    return {name: go_on(party, name, folder) for name in names}


@pytest.mark.parametrize(
    ("parties", "names", "sharing"),
    [
        (2, ["regression", "sgd"], "additive"),
        (3, ["regression"], "additive"),
        (3, ["regression", "sgd"], "replicated"),
        pytest.param(1, ["regression", "sgd", "adam"], "additive", marks=pytest.mark.slow),
        pytest.param(2, ["adam"], "additive", marks=pytest.mark.slow),
        pytest.param(3, ["sgd"], "additive", marks=pytest.mark.slow),
    ],
)
def test_going_on_gives_the_same_weights_bit_for_bit(
    parties: int, names: list[str], sharing: str, tmp_path: Path
) -> None:
    inputs = [(tmp_path, names)] * parties
    for results in mpc.run_local(go_on_all, parties, inputs=inputs, sharing=sharing):
        assert list(results) == names
        for name, result in results.items():
            assert result["runs"] >= 3, name
            assert not any(result["differences"]), name
            files = list(Path(result["folder"], "whole").iterdir())
            assert len(files) == 3, "the data and the last two checkpoints"
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def refused(action: Callable[[], Any]) -> str:
    try:
        action()
    except (ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"


def misuse(party: mpc.Party, folder: Path) -> dict[str, str]:
    """Every refusal comes before anything is computed, at both parties, so that one run can show them all."""
    x, y = data(party)

    def fit(at: Path, resume: bool, every: int = EVERY, **settings: Any) -> None:
        keep = Checkpoints(party, "model", Survival(at, every, resume))
        LogisticRegression(steps=2, **settings).fit(x, y, checkpoints=keep)

    own = folder / party.name
    fit(own / "first", False)
    fit(own / "other", False)
    said = {"in the way": refused(lambda: fit(own / "first", False))}
    said["settings"] = refused(lambda: fit(own / "first", True, learning_rate=0.25))
    said["every"] = refused(lambda: fit(own / "first", True, every=3))
    said["one resumes"] = refused(lambda: fit(own / "new", party.rank == 0))
    mixed = own / ("first" if party.rank == 0 else "other")
    said["two trainings"] = refused(lambda: fit(mixed, True))
    missing = own / ("first" if party.rank == 0 else "nowhere")
    said["missing"] = refused(lambda: fit(missing, True))
    fit(own / "never begun", True)
    said["begun anew"] = str((own / "never begun" / "model.2").exists())
    said["clear"] = refused(lambda: clear(Checkpoints(party, "clear", Survival(own / "clear"))))
    return said


def clear(checkpoints: Checkpoints) -> None:
    try:
        LogisticRegression(steps=1).fit(torch.zeros(4, 2), torch.zeros(4, 1), checkpoints=checkpoints)
    except TypeError as error:
        raise ValueError(str(error)) from error


def test_what_is_not_gone_on_from(tmp_path: Path) -> None:
    for said in mpc.run_local(misuse, 2, inputs=[tmp_path] * 2):
        assert "exist at party-0, party-1: resume them or remove them" in said["in the way"]
        assert "learning_rate was 1.0, is 0.25" in said["settings"]
        assert "every was 2, is 3" in said["every"]
        assert "must resume or none: True at party-0, False at party-1" in said["one resumes"]
        assert "no checkpoint of 'model' in common" in said["two trainings"]
        assert "[0, 2] at party-0, [] at party-1" in said["missing"]
        assert said["begun anew"] == "True"
        assert "additively shared tensor was expected, got Tensor" in said["clear"]


def damage(party: mpc.Party, folder: Path) -> dict[str, str]:
    """One party alone, whose refusals leave nobody waiting."""
    keep = Checkpoints(party, "model", Survival(folder, EVERY))
    x, y = data(party)
    LogisticRegression(steps=4).fit(x, y, checkpoints=keep)
    newest, older = folder / "model.4", folder / "model.2"
    whole = newest.read_bytes()
    again = Checkpoints(party, "model", Survival(folder, EVERY, resume=True))
    said = {}
    for name, content in {
        "cut": whole[:-1],
        "changed": whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:],
        "empty": b"",
        "another step": older.read_bytes(),
    }.items():
        newest.write_bytes(content)
        said[name] = refused(lambda: LogisticRegression(steps=4).fit(x, y, checkpoints=again))
    newest.write_bytes(whole)
    party.identity = type(party.identity).create(party.name)
    stranger = Checkpoints(party, "model", Survival(folder, EVERY, resume=True))
    said["stranger"] = refused(lambda: LogisticRegression(steps=4).fit(x, y, checkpoints=stranger))
    return said


def test_damaged_files_and_other_identities_are_refused(tmp_path: Path) -> None:
    said = mpc.run_local(damage, 1, inputs=[tmp_path])[0]
    for name in ("cut", "changed", "empty", "stranger"):
        assert "is no checkpoint of party-0" in said[name], name
    assert "was saved under the name 'model.2'" in said["another step"]


def fill_the_disk(party: mpc.Party, folder: Path) -> list[str]:
    """The first party may not write as much as a checkpoint from the second one on."""
    own, name = folder / party.name, "model"

    class Full(Checkpoints):
        def _save(self, step: int, state: Any) -> None:
            if step == 2 * EVERY and party.rank == 0:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
            super()._save(step, state)

    x, y = data(party)
    try:
        LogisticRegression(steps=4).fit(x, y, checkpoints=Full(party, name, Survival(own, EVERY)))
    except OSError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        left = sorted(path.name for path in own.iterdir())
        raise RuntimeError(f"{error}; left: {left}; read: {len(whole(party, own))}") from error
    return []


def break_off(party: mpc.Party, folder: Path) -> list[str]:
    """A failed step between two that another party waits for: what is asked of this party afterwards."""
    keep = Checkpoints(party, "model", Survival(folder / party.name, EVERY))
    try:
        with keep.steps():
            raise OSError("no more")
    except OSError:
        pass
    try:
        party._communicator.all_reduce(torch.zeros(1, dtype=torch.int64))
    except Exception as error:
        (folder / f"said-{party.name}").write_text(f"{type(error).__name__}: {error}")
        raise
    return []


def test_after_a_step_that_failed_nothing_is_computed(tmp_path: Path) -> None:
    """Or the masks of its steps, which a resumed run takes again, would cover other values as well."""
    with pytest.raises(ProcessFailed):
        mpc.run_local(break_off, 2, inputs=[tmp_path] * 2)
    said = [path.read_text() for path in tmp_path.glob("said-*")]
    assert said
    assert all("closed" in text or "lost" in text for text in said), said


def whole(party: mpc.Party, own: Path) -> list[Any]:
    """What each file that is left opens to."""
    keep = Checkpoints(party, "model", Survival(own, EVERY, resume=True))
    return [keep._vault.load(path.name) for path in own.iterdir()]


def test_a_full_disk_is_an_error_and_leaves_the_older_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed) as caught:
        mpc.run_local(fill_the_disk, 2, inputs=[tmp_path] * 2)
    assert caught.value.name == "party-0"
    assert "checkpoint not saved" in caught.value.summary
    assert "left: ['model.0', 'model.2', 'model.data']; read: 3" in caught.value.summary


def test_a_run_without_checkpoints_keeps_none() -> None:
    with pytest.raises(ValueError, match="every 1 step or more, got 0"):
        Survival(Path(), every=0)


def keep_what_waits(party: mpc.Party, folder: Path) -> bool:
    """Whether all tuples that saving took are before those that the checkpoint goes on with."""
    checkpoints = Checkpoints(party, "waits", Survival(folder / party.name, 1))
    x, y = data(party)
    x.requires_grad = True
    with checkpoints.steps():
        checkpoints.begin({}, [x.t().matmul(y).detach()], [x.t().matmul(y).detach()])
        waiting = {"deep": [None, 1, x.t().matmul(y).detach()]}
        checkpoints.after(1, lambda: [waiting])
        noted = _unpack(checkpoints._vault.load("waits.1"))["schedule"]
        same = bool(noted == party._dealer.schedule())
    checkpoints.end()
    return same


def test_what_waits_is_read_before_the_schedule_is_noted(tmp_path: Path) -> None:
    """Else a training that goes on would put the same masks over other values."""
    assert mpc.run_local(keep_what_waits, 2, inputs=[tmp_path] * 2) == [True, True]
