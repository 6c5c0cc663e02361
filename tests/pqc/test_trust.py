"""The trust store: exactly the pinned names and keys pass, through rotation, revocation and a file."""

from pathlib import Path

import pytest

import pqc
from pqc.statement import Revocation, Rotation


def test_pinned_peers_pass_and_all_others_are_named(
    alice: pqc.Identity, mallory: pqc.Identity, trust: pqc.TrustStore
) -> None:
    assert trust.names == ["alice", "bob"]
    assert trust.check(alice.public) == trust.check(alice.public, "alice") == "alice"
    with pytest.raises(pqc.PeerRefused, match=r"pinned peers \['alice', 'bob'\], got 'mallory'"):
        trust.check(mallory.public)
    with pytest.raises(pqc.PeerRefused, match="expected the peer 'bob', got 'alice'"):
        trust.check(alice.public, "bob")


def test_another_key_under_a_pinned_name_is_refused(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    impostor = pqc.Identity.create("alice")
    refusal = f"expected the pinned {alice.fingerprint}, got {impostor.fingerprint}"
    with pytest.raises(pqc.PeerRefused, match=refusal):
        trust.check(impostor.public)
    with pytest.raises(ValueError, match="pinned to"):
        trust.add(impostor.public)


def test_only_public_identities_can_be_pinned(alice: pqc.Identity) -> None:
    with pytest.raises(TypeError, match="expected PublicIdentity, got Identity"):
        pqc.TrustStore([alice])  # type: ignore[list-item]


def test_a_rotation_moves_trust_to_the_new_keys_and_ends_it_for_the_old(
    alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    new = pqc.Identity.create("alice")
    rotation = Rotation.make(alice, new).to_bytes()
    trust.accept(Rotation.from_bytes(rotation))
    assert trust.check(new.public, "alice") == "alice"
    with pytest.raises(pqc.PeerRefused, match="rotated to"):
        trust.check(alice.public)
    with pytest.raises(pqc.PeerRefused, match="not revoked"):
        trust.accept(Rotation.from_bytes(rotation))


def test_a_rotation_by_somebody_else_is_refused(trust: pqc.TrustStore) -> None:
    rotation = Rotation.make(pqc.Identity.create("alice"), pqc.Identity.create("alice")).to_bytes()
    with pytest.raises(pqc.PeerRefused, match="expected the pinned"):
        trust.accept(Rotation.from_bytes(rotation))


def test_a_damaged_statement_is_refused_wherever_it_is_damaged(alice: pqc.Identity) -> None:
    rotation = Rotation.make(alice, pqc.Identity.create("alice")).to_bytes()
    revocation = Revocation.make(alice, "key lost").to_bytes()
    for kind, data in ((Rotation, rotation), (Revocation, revocation)):
        for place in range(0, len(data), 97):
            changed = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
            with pytest.raises(ValueError, match=r"expected|wrong"):
                kind.from_bytes(changed)  # type: ignore[attr-defined]
        for cut in (0, 1, 7, 3000, len(data) - 1):
            with pytest.raises(ValueError, match=r"expected|wrong"):
                kind.from_bytes(data[:cut])  # type: ignore[attr-defined]


def test_names_do_not_change_in_a_rotation(alice: pqc.Identity, bob: pqc.Identity) -> None:
    with pytest.raises(ValueError, match="expected one name, got 'alice' and 'bob'"):
        Rotation.make(alice, bob)


def test_a_revoked_identity_is_out_for_good(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    trust.accept(Revocation.from_bytes(Revocation.make(alice, "laptop stolen").to_bytes()))
    assert trust.names == ["bob"]
    with pytest.raises(pqc.PeerRefused, match="revoked: laptop stolen"):
        trust.check(alice.public)
    with pytest.raises(ValueError, match="was revoked: laptop stolen"):
        trust.add(alice.public)


@pytest.mark.parametrize("reason", ["x" * 201, "two\nlines", "\x1b[31m"])
def test_reasons_that_could_harm_a_terminal_or_file_are_refused(alice: pqc.Identity, reason: str) -> None:
    with pytest.raises(ValueError, match="reason: expected"):
        Revocation.make(alice, reason)


def test_a_file_keeps_everything(tmp_path: Path, alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    path = tmp_path / "trust.toml"
    trust.revoke(alice.fingerprint, 'said "stolen" \\ lost')
    trust.save(path)
    trust.save(path)
    again = pqc.TrustStore.load(path)
    assert (again.names, again.revoked) == (trust.names, trust.revoked)
    assert again.fingerprint("bob") in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["trust.toml"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("peers", "expected TOML"),
        ("[friends]", r"expected \[peers\] and \[revoked\], got \['friends'\]"),
        ("[peers]\nbob = 1", "expected tables of text"),
        ("peers = 1", "expected tables of text"),
        ('[peers]\nbob = "abcd"', "16 groups of 4 hexadecimal digits, got 'abcd'"),
        ('[peers]\n"b b" = "abcd"', "name: expected"),
        ('[revoked]\nabcd = ""', "16 groups of 4"),
    ],
)
def test_a_wrong_file_is_refused_with_a_reason(tmp_path: Path, content: str, why: str) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(content)
    with pytest.raises(ValueError, match=why):
        pqc.TrustStore.load(path)


def test_two_names_in_a_file_may_not_be_one_revoked_key(tmp_path: Path, bob: pqc.Identity) -> None:
    path = tmp_path / "trust.toml"
    path.write_text(f'[peers]\nbob = "{bob.fingerprint}"\n[revoked]\n"{bob.fingerprint}" = "lost"\n')
    with pytest.raises(ValueError, match="was revoked: lost"):
        pqc.TrustStore.load(path)


def test_a_forgotten_peer_is_refused(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    trust.remove("alice")
    with pytest.raises(pqc.PeerRefused, match="pinned peers"):
        trust.check(alice.public)
    with pytest.raises(KeyError):
        trust.remove("alice")
