"""Means, deviations and categories of a table whose rows lie with several parties: as of the whole table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

import mpc
from mpc import tensors
from mpc.joint import JointScaling, agree_on_categories

RNG = np.random.default_rng(3)
ROWS = 200
# Ages, incomes, a constant, a rare flag, and a column whose deviation is small beside its bound.
TABLE = np.column_stack(
    [
        RNG.normal(40, 12, ROWS).clip(0, 100),
        RNG.lognormal(10, 0.8, ROWS).clip(0, 2e5),
        np.full(ROWS, 7.0),
        RNG.random(ROWS) < 0.04,
        RNG.normal(-500, 15, ROWS),
    ]
)
BOUNDS = [128, 2e5, 10, 1, 1000]
GAPS = np.where(RNG.random(TABLE.shape) < 0.2, np.nan, TABLE)
NOBODY: Any = None


def rows_of(party: mpc.Party) -> tuple[slice, dict[str, int]]:
    cuts = np.linspace(0, ROWS, party.world_size + 1).astype(int) + np.array(
        [0, *[7] * (party.world_size - 1), 0]
    )
    heights = {name: int(b - a) for name, a, b in zip(party.names, cuts, cuts[1:], strict=False)}
    return slice(cuts[party.rank], cuts[party.rank + 1]), heights


def program(party: mpc.Party) -> dict[str, Any]:
    rows, heights = rows_of(party)
    full = JointScaling.of(party, TABLE[rows], heights, BOUNDS)
    filled = JointScaling.of(party, GAPS[rows], heights, BOUNDS, missing="mean")
    powers = 2.0 ** np.arange(-4, 12.1, 0.25)
    shared = party.secret(powers if party.rank == 0 else None, owner=0, size=powers.shape)
    return {
        "categories": agree_on_categories(party, [np.array(["b", "a"]), ["c", "b"], ["é"]][party.rank]),
        "numbers": agree_on_categories(party, np.array([[2, 1], [10, 1], [1, 1]][party.rank])),
        "full": party.reveal(full.join(party, TABLE[rows], heights)),
        "filled": party.reveal(filled.join(party, GAPS[rows], heights)),
        "scaling": full.reveal(party, to=[0]),
        "inverse": party.reveal(tensors.inverse_sqrt(shared, 2.0**-4, 2.0**12)),
    }


@pytest.mark.parametrize("parties", [2, 3])
def test_as_of_the_whole_table(parties: int) -> None:
    results = mpc.run_local(program, parties)
    scaler = StandardScaler().fit(TABLE)
    exact = scaler.transform(TABLE)
    exact_filled = StandardScaler().fit_transform(SimpleImputer().fit_transform(GAPS))
    powers = 2.0 ** np.arange(-4, 12.1, 0.25)
    for result in results:
        # As JointScaling says: the last deviation is about bound / 64, the others are above bound / 16.
        for name, right in (("full", exact), ("filled", exact_filled)):
            error = np.abs(result[name].double().numpy() - right) / np.maximum(1, np.abs(right))
            assert error[:, :4].max() < 0.002, name
            assert error.max() < 0.01, name
        inverse = result["inverse"].double().numpy()
        assert (np.abs(inverse - powers**-0.5) <= 0.001 * powers**-0.5 + 3 * 2.0**-16).all()
        assert result["numbers"] == [1, 2, 10]
        assert result["categories"] == {2: ["a", "b", "c"], 3: ["a", "b", "c", "é"]}[parties]
    scaling = results[0]["scaling"]
    assert np.abs(scaling.mean / scaler.mean_ - 1).max() < 0.001
    assert np.abs(scaling.deviation / scaler.scale_ - 1)[[0, 1, 3, 4]].max() < 0.01
    assert np.isinf(scaling.deviation[2])
    assert results[1]["scaling"] is None


def test_values_beyond_the_bounds_and_gaps_are_refused() -> None:
    def of(table: Any, bounds: Any = (1.0, 2.0), missing: str = "refuse") -> None:
        JointScaling.of(NOBODY, table, {"a": 2}, bounds, missing)

    with pytest.raises(
        ValueError, match=r"entries must be within their column's bound: 1 are not, .* row 1, column 0"
    ):
        of([[1.0, 2.0], [-1.1, 0.0]])
    with pytest.raises(ValueError, match="finite number: 1 are not, the first in row 0, column 1"):
        of([[1.0, np.nan], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"shape \(rows, 2\) was expected, got \(1, 3\)"):
        of([[1.0, 1.0, 1.0]])
    for bounds in ((1.0, 0.0), (1.0, np.inf), 3.0):
        with pytest.raises(ValueError, match="one positive bound a column was expected"):
            of([[1.0, 1.0]], bounds)
    with pytest.raises(ValueError, match="missing must be one of"):
        of([[1.0, 1.0]], missing="zero")


@pytest.mark.parametrize(
    ("told", "message"),
    [([1], "text at one party and numbers at another"), ("x", "b told"), ([[1]], "b told")],
)
def test_categories_of_other_kinds_are_refused(
    told: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Two:
        names = ("a", "b")

    monkeypatch.setattr("mpc.joint.tell_all", lambda party, own: [own, told])
    party: Any = Two()
    with pytest.raises(ValueError, match=message):
        agree_on_categories(party, ["x"])
    for values in ([1.5], ["x", None]):
        with pytest.raises(TypeError, match="categories must be strings or whole numbers, got"):
            agree_on_categories(party, values)
