"""The README's snippets run as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
EXPECTED = {
    "mpc": r"tensor\(32\.\d*\).*tensor\(32\.\d*\)",
    "he": "True",
    "pqc": "bob X25519MLKEM768 b'HELLO'",
}


def pillar(snippet: str) -> str:
    return next(name for name in EXPECTED if f"import {name}\n" in snippet)


def test_there_is_one_snippet_per_pillar() -> None:
    assert sorted(pillar(snippet) for snippet in SNIPPETS) == sorted(EXPECTED)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=pillar)
def test_snippet_prints_what_it_says(snippet: str, tmp_path: Path) -> None:
    program = tmp_path / "snippet.py"
    program.write_text(snippet)
    result = subprocess.run(
        [sys.executable, program], cwd=README.parent, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert re.search(EXPECTED[pillar(snippet)], result.stdout), result.stdout
