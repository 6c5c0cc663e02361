"""Tables from outside: refused with a reason when they are not what the model expects."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc.table import check_labels, check_table, one_hot, read_table

GAPS = [[1.0, np.nan], [3.0, 4.0], [np.nan, 8.0]]


def test_good_table_passes_unchanged() -> None:
    assert check_table([[1, 2], [3, 4]], columns=2).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    frame = pd.DataFrame({"a": [1, 3], "b": [2.5, 4.5]})
    assert check_table(frame, columns=2).tolist() == [[1.0, 2.5], [3.0, 4.5]]


@pytest.mark.parametrize("shape", [(4, 3), (4,), (2, 2, 2)])
def test_wrong_columns_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \(rows, 2\) was expected, got"):
        check_table(np.zeros(shape), columns=2)


@pytest.mark.parametrize("missing", ["refuse", "mean"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinite_entries_are_located(bad: float, missing: str) -> None:
    table = np.zeros((3, 2))
    table[2, 1] = bad
    with pytest.raises(ValueError, match="1 are not, the first in row 2, column 1"):
        check_table(table, columns=2, missing=missing)


def test_gaps_are_refused_or_filled() -> None:
    with pytest.raises(ValueError, match="2 are not, the first in row 0, column 1"):
        check_table(GAPS, columns=2)
    assert check_table(GAPS, columns=2, missing="mean").tolist() == [[1.0, 6.0], [3.0, 4.0], [2.0, 8.0]]
    with pytest.raises(ValueError, match="column 1 has no entry"):
        check_table([[1.0, np.nan]], columns=2, missing="mean")
    with pytest.raises(ValueError, match=r"missing must be one of \['refuse', 'mean'\], got 'zero'"):
        check_table(GAPS, columns=2, missing="zero")


def test_text_among_numbers_is_named() -> None:
    with pytest.raises(ValueError, match=r"columns \['job'\] hold something else"):
        check_table(pd.DataFrame({"age": [30], "job": ["clerk"]}), columns=2)


def test_files_and_frames_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.csv").write_text("a,b,job\n1,2.5,clerk\n3,,cook\n")
    frame = read_table(tmp_path / "t.csv", ["b", "a"])
    assert frame["a"].tolist() == [1, 3]
    assert check_table(frame, 2, missing="mean").tolist() == [[2.5, 1.0], [2.5, 3.0]]
    assert read_table(frame) is frame
    assert list(read_table(np.zeros((2, 2)), ["x", "y"]).columns) == ["x", "y"]
    with pytest.raises(ValueError, match=r"columns \['c'\] are not in the table; it has \['a', 'b', 'job'\]"):
        read_table(str(tmp_path / "t.csv"), ["a", "c"])
    with pytest.raises(ValueError, match=r"shape \(rows, 3\) was expected, got \(2, 2\)"):
        read_table(np.zeros((2, 2)), ["x", "y", "z"])
    with pytest.raises(ValueError, match=r"a .csv or .parquet file was expected, got 't.xlsx'"):
        read_table("t.xlsx")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.csv")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pyarrow"):
        read_table(tmp_path / "t.parquet")


def test_parquet_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow, which is optional")
    frame = pd.DataFrame({"a": [1, 2], "job": ["clerk", "cook"]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").equals(frame)


def test_labels() -> None:
    assert check_labels([True, False]).tolist() == [[1.0], [0.0]]
    assert check_labels(np.array([[1], [0]])).tolist() == [[1.0], [0.0]]
    assert check_labels([2.0, 0.0], classes=3).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2], "whole numbers from 0 to 1: 1 are not, the first in row 2"),
        ([0, 0.5], "1 are not, the first in row 1"),
        ([np.nan, -1], "2 are not, the first in row 0"),
        (["yes", "no"], "one whole number a row was expected, got <U3"),
        ([[0, 1], [1, 0]], r"one whole number a row was expected, got int64 of shape \(2, 2\)"),
    ],
)
def test_labels_of_another_kind_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_labels(labels)


def test_categories_become_columns() -> None:
    assert one_hot(["b", "a"], ["a", "b", "c"]).tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(ValueError, match="among the 2 agreed categories: 1 are not, the first in row 1"):
        one_hot([3, None], [3, 4])
