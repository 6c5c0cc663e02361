"""The build: without a C++ compiler it succeeds, says so, and installs nothing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPTS = Path(sys.executable).parent


def test_configuring_without_a_compiler_installs_nothing(tmp_path: Path) -> None:
    build, prefix = tmp_path / "build", tmp_path / "prefix"
    prefix.mkdir()
    environment = {"PATH": str(tmp_path / "empty"), "CXX": str(tmp_path / "no-compiler")}
    configure = [
        SCRIPTS / "cmake",
        "-S",
        ROOT,
        "-B",
        build,
        "-G",
        "Ninja",
        f"-DCMAKE_MAKE_PROGRAM={SCRIPTS / 'ninja'}",
    ]
    done = subprocess.run(configure, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "No C++ compiler found" in done.stderr
    subprocess.run([SCRIPTS / "cmake", "--install", build, "--prefix", prefix], check=True, timeout=60)
    assert not list(prefix.iterdir())
