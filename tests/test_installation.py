"""What a user without the checkout gets: the wheel's files, and errors that say which extra is missing."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from scikit_build_core.build import build_wheel

ROOT = Path(__file__).parent.parent
PACKAGES = ("he", "mpc", "pqc", "benchmarks")
BUILT = {".so", ".pyc", ".pyd"}
# A process in which the modules named first cannot be imported runs the rest of the arguments.
WITHOUT = """
import runpy, sys
sys.modules.update(dict.fromkeys(sys.argv.pop(1).split(",")))
kind, what, *sys.argv = sys.argv[1:]
sys.argv.insert(0, what)
if kind == "-m":
    runpy.run_module(what, run_name="__main__")
else:
    exec(what)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, but for the compiled kernels."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = build_wheel(str(folder), {"wheel.cmake": "false"})
    return zipfile.ZipFile(folder / name)


def test_the_wheel_has_every_file_of_the_packages(wheel: zipfile.ZipFile) -> None:
    ours = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in BUILT and "__pycache__" not in path.parts
    }
    assert {"he/py.typed", "he/kernels/cuda/kernels.cu", "benchmarks/report/page.css"} <= ours
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == ours


def test_the_wheel_names_its_extras(wheel: zipfile.ZipFile) -> None:
    metadata = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    extras = {
        line.removeprefix("Provides-Extra: ")
        for line in wheel.read(metadata).decode().splitlines()
        if line.startswith("Provides-Extra: ")
    }
    told = (ROOT / "docs" / "how-to" / "install.md").read_text()
    assert {extra for extra in extras if f"| `{extra}` |" in told} >= extras - {
        "all",
        "cluster",
        "dev",
        "docs",
    }


@pytest.mark.parametrize(
    ("missing", "command", "told"),
    [
        ("typer", ["-m", "pqc"], "latticework[cli]"),
        ("typer", ["-m", "mpc"], "latticework[cli]"),
        ("pytest", ["-m", "benchmarks"], "latticework[bench"),
        ("torch", ["-c", "import mpc; mpc.run_local"], "latticework[mpc]"),
        ("crypten", ["-c", "import mpc; mpc.run_local"], "pip install --no-deps crypten==0.4.1"),
        ("scipy", ["-c", "import he; he.compile([he.Dense([[1.0]])])"], "latticework[models]"),
        ("tenseal", ["-c", "from he.engines.seal import sealapi; sealapi()"], "latticework[seal]"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_errors_say_which_extra_is_missing(missing: str, command: list[str], told: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    assert told in result.stderr.splitlines()[-1], result.stderr
