"""The import floors of the project: who may import whom, and that nothing imports in a circle."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_import_floors_hold() -> None:
    """The contracts stand in pyproject.toml; import-linter checks every import statement against them."""
    command = [
        sys.executable,
        "-c",
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_one_file_imports_crypten() -> None:
    statement = re.compile(r"^\s*(import|from) crypten\b", re.MULTILINE)
    importing = [
        path.relative_to(ROOT).as_posix()
        for folder in ("he", "mpc", "pqc", "benchmarks", "examples", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if statement.search(path.read_text())
    ]
    assert importing == ["mpc/engine.py"]


def test_importing_a_light_pillar_loads_nothing_heavy() -> None:
    program = (
        "import sys, he, pqc\n"
        "heavy = {'torch', 'tenseal', 'crypten', 'sklearn', 'onnx', 'pandas', 'scipy'} & set(sys.modules)\n"
        "sys.exit(f'imported: {sorted(heavy)}' if heavy else 0)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
