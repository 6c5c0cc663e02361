"""Real tables and images: accuracies on shares are within a point of the same training in the clear."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
sys.path.insert(0, str(EXAMPLES))

import beside  # noqa: E402
import networks_on_shares  # noqa: E402
import tables_on_shares  # noqa: E402

needs_data = pytest.mark.skipif(
    not beside.DATA.exists(), reason=f"needs heart_cleveland.npz and adult.npz in {beside.DATA}"
)


@pytest.mark.slow
def test_three_hospitals_with_different_columns() -> None:
    secure, clear = beside.run(tables_on_shares.make("breast-3"))
    assert beside.alike(secure, clear)
    # At least 549 patients are known to all three hospitals, and 400 of them train.
    assert clear.tests >= 149
    assert clear.accuracy > 0.94


@needs_data
def test_hospitals_with_different_rows_and_gaps() -> None:
    secure, clear = beside.run(tables_on_shares.make("heart"))
    assert beside.alike(secure, clear)
    assert clear.accuracy > 0.78


@needs_data
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_census_offices_with_different_rows() -> None:
    secure, clear = beside.run(tables_on_shares.make("adult"))
    assert beside.alike(secure, clear)
    assert clear.accuracy > 0.84


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["digits", "digits-cnn"])
def test_digits(name: str, tmp_path: Path) -> None:
    secure, clear = beside.run(networks_on_shares.make(name))
    assert beside.alike(secure, clear)
    assert clear.accuracy > 0.9
    for (step, loss, _), (same_step, exact_loss, _) in zip(secure.curve, clear.curve, strict=True):
        assert step == same_step
        assert abs(loss - exact_loss) < 0.05
    networks_on_shares.plot({name: (secure, clear)}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_a_point_is_a_point() -> None:
    clear = beside.Outcome(accuracy=0.9, tests=1000)
    assert beside.alike(beside.Outcome(0.91, 1000), clear)
    assert not beside.alike(beside.Outcome(0.915, 1000), clear)


def test_absent_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"heart_cleveland.npz there, or name another folder"):
        tables_on_shares.make("heart", tmp_path)
