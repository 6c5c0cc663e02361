"""The pages in docs/: their Python runs as it stands there, and their lists are complete."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpc
from he import kernels
from he.latency import calibrate
from he.latency.cost import Costs

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXAMPLE = ' title="for example"'  # its numbers may differ
FENCE = re.compile(rf"^```(python|text|text{EXAMPLE})\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"\d[\d,.]*")
CODE = [path for name in ("he", "mpc", "pqc", "benchmarks") for path in (ROOT / name).rglob("*.*")]
ONLY_COMPILED = {"how-to/train-across-hosts.md", "how-to/resume.md"}  # their tables are elsewhere
OWN_PROCESS = {"how-to/crypten-programs.md"}  # `mpc.install()` is for the whole process and those it starts
NEEDS_KERNELS = {"how-to/install.md", "how-to/plans.md"}  # they print what is there only with them
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if "```python" in page.read_text())


def blocks(page: str) -> list[tuple[str, str, bool]]:
    """(Python, what it prints, whether that is an example) in the page's order."""
    fences = FENCE.findall((DOCS / page).read_text())
    following = [*fences[1:], ("python", "")]
    return [
        (text, "" if kind_after == "python" else after, kind_after.endswith(EXAMPLE))
        for (kind, text), (kind_after, after) in zip(fences, following, strict=True)
        if kind == "python"
    ]


def agrees(got: str, said: str, example: bool = False) -> bool:
    """Whether this was printed: `...` stands for anything, any number of an example for any other."""
    if example:
        got, said = NUMBER.sub("0", got), NUMBER.sub("0", said)
    return doctest.OutputChecker().check_output(said, got, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def test_other_output_is_noticed() -> None:
    assert agrees("1 2 3\n", "1 ... 3\n")
    assert not agrees("1 2 4\n", "1 ... 3\n")
    assert agrees("1.5 MB\n", "22 MB\n", example=True)
    assert not agrees("1.5 MB\n", "1.5 kB\n", example=True)


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_python_prints_what_the_page_says(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if page in NEEDS_KERNELS and not kernels.available():
        pytest.skip("the compiled kernels are not installed")
    monkeypatch.chdir(tmp_path)
    if page in OWN_PROCESS:
        in_its_own_process(page, tmp_path)
        return
    monkeypatch.setattr(calibrate, "of_machine", Costs)
    names: dict[str, Any] = {
        "__name__": "__main__"
    }  # so that its functions travel to other processes by value
    for code, said, example in blocks(page):
        compiled = compile(code, page, "exec")
        if page in ONLY_COMPILED:
            continue
        capsys.readouterr()
        exec(compiled, names)
        got = capsys.readouterr().out
        assert agrees(got, said, example), got


def in_its_own_process(page: str, folder: Path) -> None:
    """All of the page's Python as one program."""
    script = folder / "page.py"
    script.write_text("".join(code for code, _, _ in blocks(page)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert agrees(done.stdout, "".join(said for _, said, _ in blocks(page))), done.stdout


def test_the_program_for_several_hosts_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("hospital-a", "hospital-b"):
        np.savetxt(f"{name}.csv", rng.normal(size=(20, 15)), delimiter=",")
    np.savetxt("diagnoses.csv", np.arange(20) % 2)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(blocks("how-to/train-across-hosts.md")[0][0], names)
    at_a, at_b = mpc.run_local(names["program"], names=["hospital-a", "hospital-b"])
    assert at_a.weights.shape == (30, 1)
    assert at_b is None


@pytest.mark.parametrize("pillar", ["he", "mpc", "pqc"])
def test_every_public_name_is_in_the_reference(pillar: str) -> None:
    listed = re.findall(r"^::: (\S+)$", (DOCS / "reference" / f"{pillar}.md").read_text(), flags=re.MULTILINE)
    package = importlib.import_module(pillar)
    for name in package.__all__:
        value = getattr(package, name)
        assert {value.__module__, f"{value.__module__}.{value.__qualname__}"} & set(listed), name


def test_every_paper_cited_in_the_code_is_in_the_bibliography() -> None:
    text = (DOCS / "bibliography.md").read_text()
    known = set(re.findall(r"eprint\.iacr\.org/(\d{4}/\d+)", text))
    sources = [path for path in CODE if path.suffix in {".py", ".h", ".cpp", ".cu", ".cuh"}]
    cited = {number for path in sources for number in re.findall(r"ePrint (\d{4}/\d+)", path.read_text())}
    assert len(cited) >= 20
    assert cited == known
