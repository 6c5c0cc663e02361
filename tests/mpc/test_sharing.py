"""Which sharing there is for how many parties, and that parties with different ones do not begin."""

from __future__ import annotations

import pytest

import mpc
from mpc.agreement import facts
from mpc.party import Party
from mpc.roster import Member, Roster
from mpc.sharing import ADDITIVE, REPLICATED, checked, opening
from pqc import Identity


def test_additive_is_for_all_and_replicated_for_three() -> None:
    assert [opening(checked(ADDITIVE, parties), parties) for parties in (1, 2, 3)] == [1, 2, 3]
    assert opening(checked(REPLICATED, 3), 3) == 2


@pytest.mark.parametrize("parties", [1, 2])
def test_replicated_is_refused_for_others(parties: int) -> None:
    with pytest.raises(ValueError, match=f"'replicated' is for 3 parties, got {parties}"):
        mpc.run_local(print, parties, sharing="replicated")


def test_another_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'additive' or 'replicated', got 'shamir'"):
        mpc.run_local(print, 3, sharing="shamir")


def test_three_parties_without_a_dealer_are_told_what_does_without() -> None:
    identities = [Identity.create(f"clinic-{place}") for place in range(3)]
    roster = Roster(tuple(Member(own.name, own.fingerprint, ("127.0.0.1", 1)) for own in identities))
    with pytest.raises(ValueError, match=r"3 parties need a dealer.*only sharing 'replicated' does without"):
        Party.join(identities[2], None, roster, timeout_s=1)


def test_the_parties_compare_it() -> None:
    own = Identity.create("clinic")
    roster = Roster((Member(own.name, own.fingerprint, ("127.0.0.1", 1)),))
    assert facts(roster, None, "tree", REPLICATED)["sharing"] == "replicated"


def test_keys_between_two_of_three_parties_are_allowed() -> None:
    """Two parties open, so comparison "dcf" is possible; additively among three it is not."""
    with pytest.raises(ValueError, match="'dcf' is for 2 parties, got 3"):
        mpc.run_local(print, 3, comparison="dcf")
