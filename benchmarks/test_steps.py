"""Operations and training steps on shares beside plain CrypTen, all checked: `benchmarks.steps` as benchmark.

`python -m benchmarks.steps` prints the tables, and STEPS.md has them. LeNet runs at the size `paper` only.
"""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.steps import PLAIN, measure
from benchmarks.steps_report import framed, markdown

# Rounds, and bytes sent and received: those of the protocols, by what it is and one entry.
TREE_COUNTS = {
    "sign test, per entry": (4, 24.5),
    "ReLU, per entry": (4, 24.5),
    "sigmoid, per entry": (6, 81.0),
}
PLAIN_COUNTS = {
    "sign test, per entry": (8, 432.0),
    "ReLU, per entry": (9, 464.0),
    "sigmoid, per entry": (23, 752.0),
    "softmax of 10, per row": (94, 16592.0),
    "max-pool 2x2, per output": (46, 5920.0),
}


@pytest.mark.timeout(1800)
def test_steps_beside_plain_crypten(benchmark: Any, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts are those known of either protocol; the results are checked as they are measured."""
    tables = benchmark.pedantic(measure, args=(size,), rounds=1)
    for row, sides in tables.rows.items():
        own, plain = sides[row.method], sides[PLAIN]
        if row.name in PLAIN_COUNTS:
            assert (plain.cost.rounds, plain.octets / tables.count) == PLAIN_COUNTS[row.name]
        if row.method == "tree" and row.name in TREE_COUNTS:
            assert (own.cost.rounds, framed(tables, row)) == TREE_COUNTS[row.name]
        benchmark.extra_info[row.label] = {
            "rounds": own.cost.rounds,
            "bytes": own.octets,
            "dealer_bytes": own.offline,
            "plain_rounds_insecure_dealer": plain.cost.rounds,
            "plain_bytes": plain.octets,
        }
    text = markdown(tables)
    assert all(f"| {row.label} |" in text for row in tables.rows)
    if benchmark.stats is not None:
        with capsys.disabled():
            print(f"\n{text}")
