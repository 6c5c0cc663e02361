"""How secrets are shared: additively among all parties, or replicated among three, without a helper."""

from __future__ import annotations

from mpc.protocols.replicated import THIRD

ADDITIVE, REPLICATED = "additive", "replicated"


def checked(sharing: str, parties: int) -> str:
    """ValueError for what is no sharing, and for "replicated" with any number of parties but three."""
    if sharing not in (ADDITIVE, REPLICATED):
        raise ValueError(f"sharing is {ADDITIVE!r} or {REPLICATED!r}, got {sharing!r}")
    if sharing == REPLICATED and parties != THIRD + 1:
        raise ValueError(f"sharing {REPLICATED!r} is for {THIRD + 1} parties, got {parties}")
    return sharing


def opening(sharing: str, parties: int) -> int:
    """How many of the parties open values within protocols."""
    return THIRD if sharing == REPLICATED else parties
