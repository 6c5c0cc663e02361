"""Tables from outside: read from files and frames, refused with a reason when they are not as expected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[np.float64]
MISSING = ("refuse", "mean")


def read_table(source: Any, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A frame from a .csv or .parquet file, a pandas frame, or a NumPy array of shape (rows, columns).

    `columns` picks columns by name, in that order; an array has none and takes these as its names. Raises
    FileNotFoundError, ValueError for another kind of file or columns that are not there, and
    ModuleNotFoundError for Parquet without pyarrow.
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 2 or (columns is not None and len(columns) != source.shape[1]):
            wanted = "columns" if columns is None else len(columns)
            raise ValueError(f"an array of shape (rows, {wanted}) was expected, got {source.shape}")
        return pd.DataFrame(source, columns=None if columns is None else list(columns))
    frame = source if isinstance(source, pd.DataFrame) else _read_file(Path(source))
    if columns is None:
        return frame
    if absent := [name for name in columns if name not in frame.columns]:
        raise ValueError(f"columns {absent} are not in the table; it has {list(frame.columns)}")
    return frame[list(columns)]


def _read_file(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path)
    if path.suffix != ".parquet":
        raise ValueError(f"a .csv or .parquet file was expected, got {path.name!r}")
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except ImportError as missing:
        raise ModuleNotFoundError("reading Parquet needs pyarrow: pip install pyarrow") from missing


def check_table(table: Any, columns: int, missing: str = "refuse") -> Array:
    """The table as float64 of shape (rows, columns); ValueError says what is wrong with it otherwise.

    Missing entries (NaN) are refused, or become the mean of what is there in their column (`missing="mean"`):
    of this table's own rows, so for rows split among parties see `JointScaling` instead.
    """
    values = numbers(table, columns)
    gaps = np.isnan(values)
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {list(MISSING)}, got {missing!r}")
    if missing == "refuse":
        refuse(gaps, "every entry must be a finite number")
        return values
    if len(values) and gaps.all(axis=0).any():
        raise ValueError(f"column {int(gaps.all(axis=0).argmax())} has no entry to take a mean of")
    return np.where(gaps, np.nanmean(values, axis=0), values) if gaps.any() else values


def numbers(table: Any, columns: int) -> Array:
    """The table as float64 of shape (rows, columns), where NaN stands for a missing entry."""
    try:
        values = np.asarray(table, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"a table of numbers was expected: {_first_text(table)}") from error
    if values.ndim != 2 or values.shape[1] != columns:
        raise ValueError(f"a table of shape (rows, {columns}) was expected, got {values.shape}")
    refuse(np.isinf(values), "every entry must be a finite number")
    return values


def _first_text(table: Any) -> str:
    kinds = pd.DataFrame(table).dtypes
    odd = [str(name) for name, kind in kinds.items() if not pd.api.types.is_numeric_dtype(kind)]
    return f"columns {odd} hold something else (one_hot turns categories into numbers)"


def refuse(bad: npt.NDArray[np.bool_], rule: str) -> None:
    """ValueError with the number and the place of entries that break a rule, if there are any."""
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"{rule}: {int(bad.sum())} are not, the first in row {row}, column {column}")


def check_labels(labels: Any, classes: int = 2) -> Array:
    """Labels 0 to classes - 1 as training wants them: (rows, 1) for two classes, one-hot for more."""
    values = np.asarray(labels)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iufb":
        raise ValueError(f"one whole number a row was expected, got {values.dtype} of shape {values.shape}")
    wrong = ~np.isin(values, np.arange(classes))
    if wrong.any():
        raise ValueError(
            f"labels must be whole numbers from 0 to {classes - 1}: {int(wrong.sum())} are not, "
            f"the first in row {int(wrong.argmax())}"
        )
    whole = values.astype(np.int64)
    return whole.reshape(-1, 1).astype(np.float64) if classes == 2 else np.eye(classes)[whole]


def one_hot(values: Sequence[Any], categories: Sequence[Any]) -> Array:
    """One column a category, shape (rows, categories); ValueError names the first row with another value."""
    places = pd.Index(categories).get_indexer(pd.Index(values))
    absent = places < 0
    if absent.any():
        raise ValueError(
            f"values must be among the {len(categories)} agreed categories: {int(absent.sum())} are not, "
            f"the first in row {int(absent.argmax())}"
        )
    columns: Array = np.eye(len(categories))[places]
    return columns
