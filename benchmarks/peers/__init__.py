"""Who is measured beside us, how each is installed, and which adapter speaks for it.

TenSEAL's SEAL and CrypTen run in this environment, in processes of their own. The others have dependencies
that clash with ours or with each other: each gets an environment of its own, `.peers/NAME`, made by
`python -m benchmarks peers install NAME`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path(".peers")
TORCH = "torch==2.13.0"


@dataclass(frozen=True)
class Peer:
    """One library.

    module: what to import to see that it is there. package: whose version is told. adapters: scripts in
    this folder by kind of work. python: the interpreter its packages need, "" for this one: then it runs
    here, with no environment of its own. steps: the arguments of each `pip install`. unmeasured: why it has
    no adapter, "" if it has.
    """

    name: str
    label: str
    module: str
    package: str
    adapters: dict[str, str]
    python: str = ""
    steps: tuple[tuple[str, ...], ...] = ()
    unmeasured: str = ""

    def command(self, kind: str) -> list[str]:
        """What starts its adapter for this kind of work."""
        adapter = self.adapters[kind]
        if self.python:
            return [str(self.interpreter), str(HERE / adapter)]
        return [str(self.interpreter), "-m", f"{__name__}.{adapter.removesuffix('.py')}"]

    @property
    def interpreter(self) -> Path:
        """The Python that runs its adapter."""
        return FOLDER.absolute() / self.name / "bin" / "python" if self.python else Path(sys.executable)

    def why_missing(self) -> str | None:
        """Why it cannot run, None if it can."""
        if self.unmeasured:
            return self.unmeasured
        if not self.python:
            return None if find_spec(self.module) else f"the package {self.package} is not installed"
        if not self.interpreter.exists():
            return f"no environment {FOLDER / self.name}: python -m benchmarks peers install {self.name}"
        probe = [
            str(self.interpreter),
            "-c",
            f"import importlib.util as u; exit(not u.find_spec({self.module!r}))",
        ]
        if subprocess.run(probe, capture_output=True).returncode:
            return f"the environment {FOLDER / self.name} has no {self.package}: install it again"
        return None

    def version(self) -> str:
        """The version of its package."""
        program = f"from importlib.metadata import version; print(version({self.package!r}))"
        found = subprocess.run([str(self.interpreter), "-c", program], capture_output=True, text=True)
        return found.stdout.strip() or "unknown"

    def install(self) -> None:
        """Make its environment anew; ValueError if this machine lacks what it needs."""
        if self.unmeasured:
            raise ValueError(f"{self.name} is not measured: {self.unmeasured}")
        if not self.python:
            raise ValueError(f"{self.name} runs in this environment: install the package {self.package} here")
        python = shutil.which(f"python{self.python}")
        if python is None:
            raise ValueError(f"{self.name} needs python{self.python}, which is not on the PATH")
        folder = FOLDER / self.name
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        for step in self.steps:
            pip = [str(self.interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            if subprocess.run([*pip, *step]).returncode:
                raise ValueError(f"{self.name}: pip could not install {' '.join(step)}")


ORION_NEEDS = (TORCH, "numpy<2.3", "scipy==1.14.1", "h5py", "matplotlib", "tqdm", "pyyaml", "certifi")
ALL = (
    Peer("seal", "SEAL (TenSEAL)", "tenseal", "tenseal", {"ckks": "ckks_seal.py"}),
    Peer(
        "openfhe", "OpenFHE", "openfhe", "openfhe", {"ckks": "ckks_openfhe.py"}, "3.10",
        (("openfhe", "numpy"),),
    ),
    Peer(
        "lattigo", "Lattigo (orion-fhe)", "orion", "orion-fhe", {"ckks": "ckks_lattigo.py"}, "3.11",
        (ORION_NEEDS, ("--no-deps", "orion-fhe")),
    ),
    Peer("crypten", "CrypTen, plain", "crypten", "crypten", {"mpc": "mpc_crypten.py"}),
    Peer("spu", "SPU, SEMI2K", "spu", "spu", {"mpc": "mpc_spu.py"}, "3.11", (("spu", "scikit-learn"),)),
    Peer("mpyc", "MPyC, Shamir", "mpyc", "mpyc", {"mpc": "mpc_mpyc.py"}, "3.11", (("mpyc", "numpy"),)),
    Peer(
        "fhelium", "FHElium", "fhelium", "fhelium", {}, "3.12",
        unmeasured="it has no adapter yet: it comes as source only, to be built against the torch beside it",
    ),
    Peer("liboqs", "liboqs", "oqs", "liboqs-python", {"pqc": "pqc_liboqs.py"}),
)  # fmt: skip
PEERS = {peer.name: peer for peer in ALL}


def chosen(names: str) -> list[Peer]:
    """The peers named, with commas between; ValueError names the unknown one and those there are."""
    wanted = [name for name in names.split(",") if name]
    for name in wanted:
        if name not in PEERS:
            raise ValueError(f"peer {name!r} is unknown, expected some of {','.join(PEERS)}")
    return [PEERS[name] for name in dict.fromkeys(wanted)]
