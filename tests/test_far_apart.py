"""A training whose members sit behind slow lines gives the same weights, rounds and bytes as one without."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import mpc

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))

import far_apart

COUNTED = ("rounds", "bytes_sent", "dealer_rounds", "dealer_bytes_sent", "dealer_bytes_received")


@pytest.mark.parametrize(
    "shape", [far_apart.NETEM, pytest.param((), marks=pytest.mark.slow)], ids=["40 ms, 100 Mbit", "as it is"]
)
def test_a_training_between_network_namespaces(shape: Sequence[str], tmp_path: Path) -> None:
    try:
        with far_apart.Lines(["probe"], shape):
            pass
    except OSError as reason:
        pytest.skip(f"such lines are not permitted here: {reason}")
    far = far_apart.run_far_apart(tmp_path, shape)
    near = [json.loads(text) for text in mpc.run_local(far_apart.program, 2, names=far_apart.PARTIES)]
    for there, here in zip(far, near, strict=True):
        assert far_apart.error_of(there["weights"]) <= far_apart.BOUND
        assert [there["cost"][name] for name in COUNTED] == [here["cost"][name] for name in COUNTED]


def test_what_stands_in_the_way_is_told() -> None:
    with pytest.raises(OSError, match=r"^(ip|tc) (.*latticework-\d+-.*: \S|is not installed)"):
        far_apart.Lines(["probe"], ["no such discipline"]).__enter__()
