"""The example of a served model: three processes, and predictions that agree with the clear ones."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_two_clients_of_a_served_model() -> None:
    result = subprocess.run(
        [sys.executable, "examples/encrypted_service.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "169 of 169 encrypted predictions agree" in result.stdout
    assert "ann: evaluation keys" in result.stdout and "ben: evaluation keys" in result.stdout
