"""A slowed kernel is caught by the guard, a wrong one by the check of its benchmark."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import guard
from benchmarks.machine import ROOT
from benchmarks.peers.cases import N13, Case
from he import kernels

CASES = [Case("ckks", "n=2^13", N13, ("rotate",))]
NAME = "ckks_rotate[n=2^13]/seal"

pytestmark = pytest.mark.skipif(not kernels.available(), reason="no compiled kernels")

SLOWED = """
from he import kernels
real = kernels.key_switch
def slowed(*arguments, **named):
    for _ in range(30):
        real(*arguments, **named)
    return real(*arguments, **named)
kernels.key_switch = slowed
"""
WRONG = """
from he import kernels
real = kernels.key_switch
def wrong(x, *arguments, **named):
    out = real(x, *arguments, **named)
    out[0, 0] = 0
    return out
kernels.key_switch = wrong
"""
SERVE = """
from benchmarks.peers.ckks_latticework import set_up
from benchmarks.peers.worker import serve
serve(set_up)
"""


def with_kernels(change: str) -> list[str]:
    """Our side with a kernel replaced."""
    return [sys.executable, "-c", change + SERVE]


def test_a_slowed_kernel_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty times the kernel's work against a quarter: what else the machine does cannot hide that."""
    monkeypatch.setattr(guard, "BUDGET_S", 0.1)
    baseline = guard.measure(CASES)
    assert guard.fallen(baseline, guard.measure(CASES, with_kernels(SLOWED))) == [NAME]


def test_a_wrong_kernel_fails_its_check() -> None:
    with pytest.raises(ValueError, match=r"ours: the result is wrong, it has .* bits, expected 15"):
        guard.measure(CASES, with_kernels(WRONG))


def test_a_wrong_kernel_fails_its_benchmark() -> None:
    """The inverse transform loses a coefficient: the benchmark of the forward one goes there and back."""
    program = (
        "import pytest, sys; from he import kernels\n"
        "real = kernels.intt\n"
        "def wrong(x, basis, out=None):\n    out = real(x, basis, out)\n    out[..., 0] = 0\n    return out\n"
        "kernels.intt = wrong\n"
        "sys.exit(pytest.main(['benchmarks/test_kernels.py', '-q', '-p', 'no:cacheprovider',"
        " '-k', 'transform_of and forward and portable']))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1, result.stdout
    assert "test_transform_of_one_modulus" in result.stdout


def test_a_fall_is_more_than_a_quarter_and_measured_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "guard.json"
    guard.store(path, {NAME: 8.0})
    assert guard.fallen({NAME: 8.0}, {NAME: 6.0}) == []
    assert guard.fallen({NAME: 8.0}, {NAME: 5.99}) == [NAME]
    monkeypatch.setattr(guard, "cases", lambda: CASES)
    for second, expected in ((7.0, []), (4.0, [NAME])):
        again = {NAME: second}
        monkeypatch.setattr(guard, "measure", lambda cases, ours, again=again: again)
        assert guard.watch(path, {NAME: 5.0}) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "damaged"),
        ("[]", "no baseline of version 1"),
        ('{"format": "latticework-guard", "version": 9}', "no baseline of version 1"),
    ],
)
def test_damaged_baselines_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "guard.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        guard.load(path)
    with pytest.raises(ValueError, match="cannot be read"):
        guard.load(tmp_path / "none.json")


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of the ratios"):
        guard.fallen({"a": 1.0}, {"b": 1.0})
