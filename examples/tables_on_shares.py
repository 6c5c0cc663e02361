"""Real tables that lie with several organisations: linear models trained on shares, as if on the whole table.

    python examples/tables_on_shares.py breast-2 heart

    breast-2, breast-3   breast cancer, columns with two or three hospitals, rows aligned by record ids
    heart                Cleveland heart disease, rows with two hospitals, gaps filled with joint means
    adult                census income, rows with two offices, one-hot categories, mini-batches (minutes)

The exit status is non-zero if an accuracy is more than a point from that of the twin: the same
steps, start and batches in the clear. heart and adult are read from the folder `--data`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from beside import DATA, Outcome, Training, load, report
from sklearn.datasets import load_breast_cancer

import mpc
from mpc.joint import JointScaling, agree_on_categories
from mpc.linear import LogisticRegression
from mpc.table import check_labels, check_table, one_hot
from mpc.tensors import join

Array = npt.NDArray[Any]

# Breast cancer: columns with several hospitals, rows in different orders, some patients missing somewhere.

BREAST = LogisticRegression(steps=40, learning_rate=0.5, l2=0.01)
PATIENTS = 400


def breast_hospital(party: mpc.Party, own: tuple[Array, Array, Array | None]) -> Any:
    """Align, standardise own columns, train on the first aligned patients; which ones they are is public."""
    ids, table, labels = own
    rows = mpc.align(party, ids).rows
    train, test = rows[:PATIENTS], rows[PATIENTS:]
    columns = check_table(table, columns=table.shape[1])
    scaling = mpc.Scaling.of(columns[train])
    widths = dict.fromkeys(party.names, 30 // party.world_size)
    last = party.names[-1]

    def join(chosen: Array) -> tuple[Any, Any]:
        x = mpc.join_columns(party, scaling.apply(columns[chosen]), widths, len(chosen))
        y = None if labels is None else check_labels(labels[chosen])
        return x, party.secret(y, owner=last, size=(len(chosen), 1))

    model = BREAST.fit(*join(train))
    accuracy = party.reveal(model.score(*join(test)))
    return ids[rows], len(test), accuracy, party.cost()


def breast(parties: int) -> Training:
    data = load_breast_cancer()
    rng = np.random.default_rng(2026)
    inputs = []
    for rank in range(parties):
        known = rng.permutation(len(data.target))[: 569 - 5 * rank]
        columns = slice(rank * 30 // parties, (rank + 1) * 30 // parties)
        labels = data.target[known] if rank == parties - 1 else None
        inputs.append((known, data.data[known][:, columns], labels))

    def twin(results: list[Any]) -> Outcome:
        order = results[0][0]
        x, y = data.data[order], data.target[order].reshape(-1, 1).astype(float)
        x = mpc.Scaling.of(x[:PATIENTS]).apply(x)
        model = BREAST.fit(torch.from_numpy(x[:PATIENTS]), torch.from_numpy(y[:PATIENTS])).in_the_clear()
        return Outcome(float(np.mean(model.predict(x[PATIENTS:]) == y[PATIENTS:, 0])), len(x) - PATIENTS)

    def secure(results: list[Any]) -> Outcome:
        _, tests, accuracy, cost = results[0]
        return Outcome(float(accuracy), tests, cost=cost)

    return Training(breast_hospital, inputs, twin, secure)


# Heart disease and census income: rows with two parties, standardised with joint means and deviations.


def rows_party(party: mpc.Party, own: dict[str, Any]) -> Any:
    """Numbers standardised jointly, categories one-hot as agreed; the accuracy on the test rows is opened."""
    model, heights = own["model"], own["heights"]
    numeric = JointScaling.of(party, own["numbers"], heights, own["bounds"], missing=own["missing"])
    blocks = [numeric.join(party, own["numbers"], heights)]
    tests = [numeric.join(party, own["test_numbers"], own["test_heights"])]
    for column, test_column in zip(own["categories"].T, own["test_categories"].T, strict=True):
        agreed = agree_on_categories(party, [*column, *test_column])
        for parts, values, sizes in (
            (blocks, column, heights),
            (tests, test_column, own["test_heights"]),
        ):
            parts.append(mpc.join_rows(party, one_hot(values, agreed), sizes, len(agreed)))
    y = mpc.join_rows(party, check_labels(own["y"]), heights, 1)
    test_y = mpc.join_rows(party, check_labels(own["test_y"]), own["test_heights"], 1)
    model.fit(join(blocks, dim=1), y)
    accuracy = party.reveal(model.score(join(tests, dim=1), test_y))
    return accuracy, len(own["test_y"]), party.cost()


def halves(table: Array) -> list[Array]:
    return [table[: len(table) // 3], table[len(table) // 3 :]]


def by_rows(
    model: LogisticRegression,
    train: tuple[Array, Array, Array],
    test: tuple[Array, Array, Array],
    missing: str,
) -> Training:
    """Numbers, categories and labels of train and test rows: a third with one party, the rest elsewhere."""
    names = ("numbers", "categories", "y", "test_numbers", "test_categories", "test_y")
    split = [halves(table) for table in (*train, *test)]
    bounds = np.nanmax(np.abs(np.concatenate([train[0], test[0]]).astype(float)), axis=0)
    public = {
        "model": model,
        "missing": missing,
        "bounds": list(2.0 ** np.ceil(np.log2(bounds))),
        "heights": {f"party-{rank}": len(split[0][rank]) for rank in range(2)},
        "test_heights": {f"party-{rank}": len(split[3][rank]) for rank in range(2)},
    }
    inputs = [dict(zip(names, (part[rank] for part in split), strict=True)) | public for rank in range(2)]

    def twin(_: list[Any]) -> Outcome:
        filled = check_table(train[0], train[0].shape[1], missing=missing)
        scaling, means = mpc.Scaling.of(filled), np.nanmean(train[0].astype(float), axis=0)
        test_filled = np.where(np.isnan(test[0].astype(float)), means, test[0])
        x, test_x = [scaling.apply(filled)], [scaling.apply(test_filled)]
        for column, test_column in zip(train[1].T, test[1].T, strict=True):
            agreed = sorted({*column, *test_column})
            x.append(one_hot(column, agreed))
            test_x.append(one_hot(test_column, agreed))
        model.fit(torch.from_numpy(np.hstack(x)), torch.from_numpy(check_labels(train[2])))
        right = model.score(torch.from_numpy(np.hstack(test_x)), torch.from_numpy(check_labels(test[2])))
        return Outcome(float(right), len(test[2]))

    def secure(results: list[Any]) -> Outcome:
        return Outcome(float(results[0][0]), len(test[2]), cost=results[0][2])

    return Training(rows_party, inputs, twin, secure)


def heart(folder: Path) -> Training:
    data = load("heart_cleveland.npz", folder)
    order = np.random.default_rng(1).permutation(len(data["y"]))
    x, y = data["x"][order].astype(float), data["y"][order]
    kinds = [list(data["columns"]).index(name) for name in ("cp", "restecg", "slope")]
    numbers = [column for column in range(x.shape[1]) if column not in kinds]
    whole = x[:, kinds].astype(int)
    parts = [(x[rows][:, numbers], whole[rows], y[rows]) for rows in (slice(0, 200), slice(200, None))]
    return by_rows(LogisticRegression(steps=30, learning_rate=0.3, l2=0.01), parts[0], parts[1], "mean")


def adult(folder: Path) -> Training:
    data = load("adult.npz", folder)
    kinds = json.loads(str(data["meta"]))["categories"].values()

    def part(which: str) -> tuple[Array, Array, Array]:
        codes = data[f"cat_{which}"]
        words = [np.array(names)[codes[:, place]] for place, names in enumerate(kinds)]
        return data[f"num_{which}"].astype(float), np.column_stack(words), data[f"y_{which}"]

    model = LogisticRegression(steps=200, learning_rate=0.3, l2=1e-3, batch_size=256, schedule="cosine")
    return by_rows(model, part("train"), part("test"), "refuse")


JOBS: dict[str, Callable[[Path], Training]] = {
    "breast-2": lambda _: breast(2),
    "breast-3": lambda _: breast(3),
    "heart": heart,
    "adult": adult,
}


def make(name: str, folder: Path = DATA) -> Training:
    return JOBS[name](folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", choices=list(JOBS), default=["breast-2"])
    parser.add_argument("--data", type=Path, default=DATA)
    chosen = parser.parse_args()
    return report(chosen.jobs, lambda name: make(name, chosen.data))[0]


if __name__ == "__main__":
    sys.exit(main())
