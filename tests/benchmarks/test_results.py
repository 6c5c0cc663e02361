"""Stored runs: back as they were, refused when damaged or of another version, one writer at a time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stored import ENTRIES, results

from benchmarks.compare import compare
from benchmarks.results import Results, only_one


def test_a_stored_run_comes_back_as_it_was(tmp_path: Path) -> None:
    results().save(tmp_path / "run.json")
    loaded = Results.load(tmp_path / "run.json")
    assert loaded == results()
    assert loaded.failed == ["test_kernels.py::test_wrong"]
    assert loaded.duels[0].ratios == pytest.approx([4, 4, 6])
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "damaged: it is not JSON"),
        (lambda text: text.replace("0.0011", "0.0010"), "damaged: its content"),
        (lambda text: json.dumps(json.loads(text) | {"version": 2}), "version 2, expected 1"),
        (lambda text: json.dumps(json.loads(text) | {"format": "x"}), "no result of these benchmarks"),
        (lambda text: json.dumps(json.loads(text) | {"body": []}), "damaged"),
        (lambda text: "[]", "no result of these benchmarks"),
    ],
)
def test_damaged_and_foreign_files_are_refused(tmp_path: Path, damage: Any, message: str) -> None:
    path = tmp_path / "run.json"
    results().save(path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=message):
        Results.load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        Results.load(tmp_path / "run.json")


def test_two_runs_at_once_on_one_output(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with only_one(path), pytest.raises(ValueError, match="another run is writing"), only_one(path):
        pass
    with only_one(tmp_path / "run.json"):
        pass


@pytest.mark.parametrize(("factor", "verdict"), [(1.5, "slower"), (0.6, "faster"), (1.01, "same")])
def test_what_changed_beyond_noise(factor: float, verdict: str) -> None:
    """Fifty samples with a tenth of spread, stretched: the interval is far from the tolerance."""
    samples = [1e-3 * (1 + 0.002 * i) for i in range(50)]
    before = results(entries=[replace(ENTRIES[0], samples_s=samples)])
    after = results(entries=[replace(ENTRIES[0], samples_s=[factor * s for s in samples])])
    found = compare(before, after)
    assert [change.verdict for change in found.changes] == [verdict, "same"]
    assert found.changes[0].low <= found.changes[0].ratio <= found.changes[0].high
    assert found.worse == (verdict == "slower")


def test_noise_alone_is_no_change() -> None:
    before = results(entries=[replace(ENTRIES[0], samples_s=[1e-3, 2e-3, 3e-3, 1.5e-3])])
    after = results(entries=[replace(ENTRIES[0], samples_s=[2.5e-3, 1.2e-3, 3e-3, 2e-3])])
    assert compare(before, after).changes[0].verdict == "same"


def test_what_passed_before_and_does_not_now_is_worse() -> None:
    found = compare(results(), results(entries=ENTRIES[1:]))
    assert (found.gone, found.new, found.worse) == ([ENTRIES[0].id], [], True)
    back = compare(results(entries=ENTRIES[1:]), results())
    assert (back.gone, back.new, back.worse) == ([], [ENTRIES[0].id], False)
