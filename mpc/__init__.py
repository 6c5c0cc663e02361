"""Several organisations train one model on their joint data without showing it to one another.

    run_local / Party     the same program in one, two or three processes     (party, processes)
    align                 which records all have, in one order                (psi)
    check_table           what a table must be                                (table)
    join_columns, join_rows, Scaling                 who owns which part      (data, joint)
    LogisticRegression    training on shares, and its twin in the clear       (linear)
    Checkpoints           a training goes on after a crash                    (checkpoint)
    Cost                  rounds, bytes and seconds                           (cost)
    install               programs written for plain CrypTen, unchanged       (plain)

Below them: CrypTen's tensors with their unsafe parts replaced (engine), protocols on shares (protocols),
products modulo 2^64 (kernels), correlated randomness from a helper that sees no data (dealer), collectives
over post-quantum channels (transport), cryptographic randomness (randomness). Security: semi-honest parties,
and a dealer that does not collude with any of them, or three parties of whom no two collude and no dealer
(sharing); see SECURITY.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpc.checkpoint import Checkpoints
    from mpc.cost import Cost
    from mpc.data import Scaling, join_columns, join_rows
    from mpc.linear import LogisticRegression
    from mpc.party import Party, run_local
    from mpc.plain import install
    from mpc.psi import align
    from mpc.table import check_table

__all__ = [
    "Checkpoints",
    "Cost",
    "LogisticRegression",
    "Party",
    "Scaling",
    "align",
    "check_table",
    "install",
    "join_columns",
    "join_rows",
    "run_local",
]

INSTALL = "pip install 'latticework[mpc]' && pip install --no-deps crypten==0.4.1"
"""The command for all that the pillar needs. CrypTen's own dependencies break an installation."""

_HOME = {
    "Checkpoints": "checkpoint",
    "Cost": "cost",
    "LogisticRegression": "linear",
    "Party": "party",
    "Scaling": "data",
    "align": "psi",
    "check_table": "table",
    "install": "plain",
    "join_columns": "data",
    "join_rows": "data",
    "run_local": "party",
}


def __getattr__(name: str) -> Any:
    """Load a part when it is first used: most of them bring torch and CrypTen along."""
    if name not in _HOME:
        raise AttributeError(f"module 'mpc' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"mpc.{_HOME[name]}"), name)
    except ModuleNotFoundError as missing:
        if missing.name is None:  # it says already what to install
            raise
        raise ModuleNotFoundError(
            f"mpc.{name} needs {missing.name!r}, which is not installed: {INSTALL}"
        ) from missing
