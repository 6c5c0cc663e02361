"""Rosters: read and written alike, refused with a reason when something in them is off."""

from __future__ import annotations

from pathlib import Path

import pytest

import pqc
from mpc.mesh import check_identity
from mpc.roster import Member, Roster, parse_address

PRINTS = ["-".join([f"{digit}" * 4] * 16) for digit in "abcd"]
PARTIES = tuple(Member(f"party-{rank}", PRINTS[rank], ("10.0.0.1", 7000 + rank)) for rank in range(2))
DEALER = Member("helper", PRINTS[3], ("fe80::1", 7009))
ROSTER = Roster(PARTIES, DEALER)


def test_file_round_trip_keeps_the_order_of_ranks(tmp_path: Path) -> None:
    swapped = Roster(PARTIES[::-1], DEALER)
    for roster in (ROSTER, swapped, Roster(PARTIES[:1])):
        path = tmp_path / "parties.toml"
        path.write_text(roster.to_toml())
        assert Roster.load(path) == roster
    assert ROSTER.digest() != swapped.digest()


def test_everybody_in_it_is_pinned_and_nobody_else() -> None:
    assert sorted(ROSTER.trust().names) == ["helper", "party-0", "party-1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected .*parties.NAME"),
        ("[parties]", "1 to 3 parties, got 0"),
        ("[parties]\na = 1", "expected tables"),
        ('[parties.a]\naddress = "h:1"', "expected address and fingerprint"),
        (f'[parties.a]\naddress = "h"\nfingerprint = "{PRINTS[0]}"', "expected HOST:PORT"),
        ('[parties.a]\naddress = "h:1"\nfingerprint = "beef"', "expected 16 groups"),
        (f'[parties."a b"]\naddress = "h:1"\nfingerprint = "{PRINTS[0]}"', "name"),
        (Roster(PARTIES, DEALER).to_toml().split("[dealer")[0], "2 parties need a dealer"),
        (ROSTER.to_toml() + DEALER.to_toml("dealer").replace("helper", "other"), "expected one dealer"),
        (ROSTER.to_toml().replace("helper", "party-0"), "a name of its own"),
        ("[surprise]", "got .*surprise"),
        ("not toml", "roster"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "parties.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        Roster.load(path)


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:0", "host:65536", "host:-1", "host:x", None]
)
def test_bad_addresses_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        parse_address(text)


def test_addresses() -> None:
    assert parse_address("10.0.0.1:7001") == ("10.0.0.1", 7001)
    assert parse_address("[fe80::1]:7001") == ("fe80::1", 7001)


def test_an_identity_must_be_the_rosters() -> None:
    identity = pqc.Identity.create("party-0")
    with pytest.raises(
        ValueError, match=f"has fingerprint {identity.fingerprint}, the roster says {PRINTS[0]}"
    ):
        check_identity(identity, ROSTER)
    with pytest.raises(ValueError, match="'party-9' is not in the roster"):
        check_identity(pqc.Identity.create("party-9"), ROSTER)
