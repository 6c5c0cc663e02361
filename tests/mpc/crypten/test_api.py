"""CrypTen's interface on this engine, both comparisons and sharings: every check of the tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from approximations import APPROXIMATIONS
from arithmetic import ARITHMETIC
from checking import Table, run_table
from comparisons import COMPARISONS
from files import FILES
from gradients import GRADIENTS
from layers import LAYERS
from sampling import SAMPLING
from shapes import SHAPES

import mpc

TABLES = (ARITHMETIC, SHAPES, COMPARISONS, APPROXIMATIONS, GRADIENTS, SAMPLING, LAYERS, FILES)
CHECKS = Table({name: run for table in TABLES for name, run in table.items()})


def run_all(party: mpc.Party) -> dict[str, str]:
    return run_table(party, CHECKS)


# All checks in one run take a minute and more: the usual tests run them for two parties.
TIMEOUT_S = 1200.0


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((1, "tree", "additive"), marks=pytest.mark.slow),
        (2, "tree", "additive"),
        pytest.param((2, "dcf", "additive"), marks=pytest.mark.slow),
        pytest.param((3, "tree", "additive"), marks=pytest.mark.slow),
        pytest.param((3, "tree", "replicated"), marks=pytest.mark.slow),
    ],
    ids=lambda param: "-".join(map(str, param)),
)
def failures(request: pytest.FixtureRequest) -> Iterator[list[dict[str, str]]]:
    """What failed, at each party of one run of all checks, by the parties' number, comparison and sharing."""
    parties, comparison, sharing = request.param
    yield mpc.run_local(run_all, parties, timeout_s=TIMEOUT_S, comparison=comparison, sharing=sharing)


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("name", CHECKS)
def test_as_in_torch(failures: list[dict[str, str]], name: str) -> None:
    for rank, failed in enumerate(failures):
        assert name not in failed, f"party {rank}: {failed[name]}"
