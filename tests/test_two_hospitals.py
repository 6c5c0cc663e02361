"""The demo: it agrees with the clear computation, says so, and fails loudly when it does not."""

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "examples"))

import two_hospitals  # noqa: E402


def test_the_whole_story() -> None:
    result = subprocess.run(
        [sys.executable, "examples/two_hospitals.py"], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"agree for 169 of 169 patients", result.stdout)
    assert "X25519MLKEM768" in result.stdout
    for organisation in ("hospital-a", "hospital-b", "dealer", "clinic", "server"):
        assert organisation in result.stdout


@pytest.mark.parametrize(
    ("secure", "flip", "status"), [(0.97, 0, 0), (0.961, 0, 0), (0.95, 0, 1), (0.99, 0, 1), (0.97, 1, 1)]
)
def test_disagreement_is_an_error(secure: float, flip: int, status: int) -> None:
    """More than a point apart in training, or one prediction apart in inference, is a failure."""
    scores = np.array([1.0, -2.0, 3.0])
    encrypted = scores.copy()
    encrypted[:flip] *= -1
    console = Console(file=io.StringIO())
    assert two_hospitals.verdict(console, secure, 0.97, encrypted, scores) == status


def test_hospitals_hold_different_columns_and_the_clinic_other_patients() -> None:
    table, labels, test, test_labels = two_hospitals.patients()
    a, b = two_hospitals.COLUMNS.values()
    assert not set(range(30)[a]) & set(range(30)[b])
    assert len(table) + len(test) == len(labels) + len(test_labels) == 569
    assert not {tuple(row) for row in table} & {tuple(row) for row in test}
