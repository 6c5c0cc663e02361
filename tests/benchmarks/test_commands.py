"""The command line: every bad input by name, a failing benchmark in the middle, exit statuses."""

from pathlib import Path
from typing import Any

import pytest
from stored import ENTRIES, results

from benchmarks import peers, running, suite
from benchmarks.__main__ import main
from benchmarks.machine import ROOT
from benchmarks.results import Entry, Results, only_one

STORED = str(ROOT / "benchmarks" / "results" / "small.json")


def test_reports_and_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    results().save(before)
    results(entries=ENTRIES[1:]).save(after)
    assert main(["report", str(before)]) == 0
    assert "<h1>" in (tmp_path / "a.html").read_text()
    assert main(["report", str(before), "--markdown"]) == 0
    assert main(["compare", str(before), str(before)]) == 0
    assert main(["compare", str(before), str(after)]) == 1
    assert "gone  test_kernels.py::test_ntt[n=2^13]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--peers", "sael"], "peer 'sael' is unknown, expected some of seal,openfhe"),
        (["run", "--files", "kernel"], "no benchmark file 'kernel', expected some of"),
        (["report", "nowhere.json"], "nowhere.json cannot be read"),
        (["compare", "nowhere.json", "nowhere.json"], "nowhere.json cannot be read"),
        (["report", STORED, "--into", "README.md"], "--into goes with --markdown"),
        (["report", STORED, "--markdown", "--into", "nowhere.md"], "nowhere.md cannot be read"),
        (["report", STORED, "--markdown", "--into", STORED], "small.json: expected one line"),
        (["peers", "install"], "no peer named"),
        (["peers", "install", "fhelium"], "fhelium is not measured: it has no adapter yet"),
        (["peers", "install", "sael"], "peer 'sael' is unknown"),
        (["peers", "install", "seal"], "seal runs in this environment"),
    ],
)
def test_bad_input_ends_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["run", "--size", "big"], ["run", "--device", "tpu"], [], ["walk"]])
def test_argparse_names_the_choices(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "error" in capsys.readouterr().err


def test_a_second_run_on_the_same_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with only_one(tmp_path / "run.json"):
        arguments = ["run", "--files", "", "--peers", "", "--out", str(tmp_path / "run.json")]
        assert main(arguments) == 2
    assert "another run is writing to" in capsys.readouterr().err


BENCHMARKS = """
import os
import pytest

def test_good(benchmark):
    benchmark.extra_info["bits"] = 3
    assert benchmark(sum, [1, 2]) == 3

def test_wrong(benchmark):
    assert benchmark(sum, [1, 2]) == 4

def test_dies(benchmark):
    os.kill(os.getpid(), 9)

@pytest.mark.skip(reason="not here")
def test_skipped(benchmark):
    benchmark(sum, [1])

@pytest.mark.sizes("n", tiny=[1], small=[2, 3])
def test_sized(benchmark, n):
    benchmark(sum, [n])
"""


def test_the_rest_goes_on_after_a_failure_and_a_death(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of benchmarks of its own, with the conftest of ours."""
    folder = tmp_path / "measured"
    folder.mkdir()
    (folder / "test_mixed.py").write_text(BENCHMARKS)
    (folder / "test_broken.py").write_text("import nothing_of_this_name\n")
    (folder / "conftest.py").write_text(
        "from benchmarks.conftest import (pytest_addoption, pytest_configure, pytest_generate_tests)\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider --import-mode=importlib\n")
    monkeypatch.setattr(suite, "HERE", folder)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(running.limits, "measure", lambda: {})
    out = tmp_path / "run.json"
    assert main(["run", "--size", "small", "--files", "broken,mixed", "--peers", "", "--out", str(out)]) == 1
    stored = Results.load(out)
    by_name = {entry.id.partition("::")[2] or entry.id: entry for entry in stored.entries}
    assert {name: entry.outcome for name, entry in by_name.items()} == {
        "test_broken.py": "failed", "test_good": "passed", "test_wrong": "failed", "test_dies": "failed",
        "test_skipped": "skipped", "test_sized[n=2]": "passed", "test_sized[n=3]": "passed",
    }  # fmt: skip
    assert "nothing_of_this_name" in by_name["test_broken.py"].reason
    assert by_name["test_dies"].reason == "its process died: SIGKILL"
    assert by_name["test_skipped"].reason == "not here"
    assert by_name["test_good"].extra == {"bits": 3}
    assert len(by_name["test_good"].samples_s) >= 3
    assert "FAILED test_mixed.py::test_dies" in capsys.readouterr().out
    assert "test_dies" in out.with_suffix(".html").read_text()


def test_a_missing_peer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(running.limits, "measure", lambda: {})
    out = tmp_path / "run.json"
    assert main(["run", "--files", "", "--peers", "openfhe,mpyc,fhelium", "--out", str(out)]) == 0
    said, text = capsys.readouterr().out, out.with_suffix(".html").read_text()
    for name, reason in (("openfhe", "no environment"), ("mpyc", "no environment"), ("fhelium", "it has no")):
        assert f"peer {name} was not measured: {reason}" in said
        assert f"{name}: {reason}" in text


def test_the_time_left_is_told_from_the_last_run(tmp_path: Path) -> None:
    took: Any = [Entry("test_a.py::x", "passed", took_s=7.0), Entry("test_a.py::y", "passed", took_s=2.0)]
    results(entries=took).save(tmp_path / "run.json")
    options = running.Options("tiny", "cpu", [], ["a", "b"], "", tmp_path / "run.json")
    assert running.weights(options, []) == {"a": 9.0, "b": running.GUESS_S["tiny"]}
    assert running.weights(running.Options("small", "cpu", [], ["a"], "", tmp_path / "run.json"), []) == {
        "a": running.GUESS_S["small"]
    }
