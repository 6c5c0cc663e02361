"""Plain CrypTen in processes of its own, as it is installed: `python -m benchmarks.plain_crypten`.

INSECURE, and here for comparison only: its dealer is party 0 itself, which knows the masks of all tuples and
so every secret; its masks come from a Mersenne Twister; its traffic is in the clear.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from typing import Any

import cloudpickle

from benchmarks.parties import Control, Prepare, take_steps

# CrypTen looks for a module of torch under the name it had before torch 2.9; nothing else is changed.
_NAME, _NOW = "torch.onnx._internal.registration", "torch.onnx._internal.torchscript_exporter.registration"


def run_plain(prepare: Prepare, parties: int, control: Control) -> None:
    """For a stage: parties of plain CrypTen, with `prepare(None)` in each."""
    work = cloudpickle.dumps((prepare, parties, control))
    subprocess.run([sys.executable, "-m", "benchmarks.plain_crypten"], input=work, check=True)


def main() -> None:
    """Take the work from the standard input and run it in CrypTen's own way."""
    warnings.simplefilter("ignore")
    prepare, parties, control = cloudpickle.loads(sys.stdin.buffer.read())
    torch: Any = importlib.import_module("torch")
    try:
        importlib.import_module(_NAME)
    except ModuleNotFoundError:
        sys.modules[_NAME] = importlib.import_module(_NOW)
    crypten: Any = importlib.import_module("crypten")

    def program() -> None:
        torch.set_num_threads(1)
        take_steps(prepare(None), crypten.communicator.get().get_rank(), control)

    crypten.mpc.run_multiprocess(world_size=parties)(program)()


if __name__ == "__main__":
    main()
