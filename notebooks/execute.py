"""Execute notebooks in place, and stamp each with the digest of the code that its outputs come from.

    python notebooks/execute.py                 # all of them
    python notebooks/execute.py notebooks/01*   # some

The tests compare the stamps: a notebook whose code was changed and not executed again fails. A notebook that
takes long has the line `SMALL = False` in its first code cell; the tests run it with `SMALL = True`.
"""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
STAMP = "latticework"
TIMEOUT_S = 240


def code_cells(notebook: Any) -> list[Any]:
    """The cells that are executed."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def digest(notebook: Any) -> str:
    """SHA-256 of the sources of all code cells, in hexadecimal."""
    sources = [cell.source for cell in code_cells(notebook)]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def small(notebook: Any) -> Any:
    """The notebook with SMALL = True where its first code cell says SMALL = False; changed in place."""
    first = code_cells(notebook)[0]
    first.source = first.source.replace("SMALL = False", "SMALL = True", 1)
    return notebook


def run(notebook: Any) -> None:
    """Execute all cells in a fresh kernel, in the notebooks' folder; raises nbclient's CellExecutionError."""
    where = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=TIMEOUT_S, resources=where, record_timing=False).execute()


def execute(path: Path) -> float:
    """Execute a notebook in place and stamp it; nothing is written if a cell fails. Returns seconds."""
    notebook, start = nbformat.read(path, as_version=4), time.perf_counter()
    run(notebook)
    notebook.metadata[STAMP] = {"code": digest(notebook)}
    nbformat.write(notebook, path)
    return time.perf_counter() - start


def main() -> None:
    """Execute the notebooks that are named, or all."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        print(f"{path.name}: {execute(path):.0f} s", flush=True)


if __name__ == "__main__":
    main()
