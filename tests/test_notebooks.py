"""Every notebook runs from top to bottom in small form, and its stored outputs come from its code."""

import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parent.parent / "notebooks"
sys.path.insert(0, str(FOLDER))
import execute  # noqa: E402

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
QUICK = {"01_ckks_from_the_inside"}
"""Below five seconds in small form, kernel and imports and all; the others are slow."""

MARKED = [pytest.param(p, id=p.stem, marks=[] if p.stem in QUICK else [pytest.mark.slow]) for p in NOTEBOOKS]
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", MARKED)
def test_notebook_runs(path: Path) -> None:
    execute.run(execute.small(nbformat.read(path, as_version=4)))


@EACH
def test_stored_outputs_are_complete_and_without_errors(path: Path) -> None:
    cells = execute.code_cells(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "display_data" in kinds
    assert "error" not in kinds


@EACH
def test_stored_outputs_are_of_this_code(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.get(execute.STAMP) == {"code": execute.digest(notebook)}, "run make notebooks"


def notebook_of(*sources: str) -> Any:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def test_the_digest_is_of_code_and_not_of_outputs() -> None:
    notebook, other = notebook_of("a = 1", "print(a)"), notebook_of("a = 1", "print(a)")
    other.cells[1].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    other.cells.append(nbformat.v4.new_markdown_cell("# text"))
    assert execute.digest(notebook) == execute.digest(other)
    assert execute.digest(notebook) != execute.digest(notebook_of("a = 2", "print(a)"))
    assert execute.digest(notebook) != execute.digest(notebook_of("a = 1print(a)"))


def test_small_is_set_in_the_first_code_cell_only() -> None:
    small = execute.small(notebook_of("SMALL = False", "SMALL = False"))
    assert [cell.source for cell in small.cells] == ["SMALL = True", "SMALL = False"]


def test_executing_stamps_and_a_failing_cell_leaves_the_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.ipynb", tmp_path / "bad.ipynb"
    nbformat.write(notebook_of("print(1)"), good)
    nbformat.write(notebook_of("1 / 0"), bad)
    before = bad.read_bytes()
    assert execute.execute(good) > 0
    done = nbformat.read(good, as_version=4)
    assert done.metadata[execute.STAMP] == {"code": execute.digest(done)}
    assert done.cells[0].outputs[0].text == "1\n"
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute.execute(bad)
    assert bad.read_bytes() == before
