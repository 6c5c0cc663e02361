"""Identities: saved whole and protected, or not at all; loaded only with the passphrase."""

import copy
import pickle
import stat
from pathlib import Path

import pytest

import pqc


def test_a_saved_identity_loads_again_and_only_the_owner_may_read_it(
    tmp_path: Path, alice: pqc.Identity
) -> None:
    path = tmp_path / "alice.identity"
    alice.save(path, passphrase="correct horse")
    again = pqc.Identity.load(path, passphrase="correct horse")
    assert (again.name, again.fingerprint, again.public) == (alice.name, alice.fingerprint, alice.public)
    assert again.private_key_pem() == alice.private_key_pem()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["alice.identity"]


def test_the_file_holds_nothing_in_the_clear(tmp_path: Path, alice: pqc.Identity) -> None:
    alice.save(tmp_path / "a", passphrase="x")
    content = (tmp_path / "a").read_bytes()
    assert b"PRIVATE" not in content
    assert b"alice" not in content


def test_saving_never_replaces_a_key(tmp_path: Path, alice: pqc.Identity) -> None:
    path = tmp_path / "taken"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        alice.save(path, passphrase="x")
    assert path.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_wrong_passphrase_damage_and_foreign_files_are_told_apart(
    tmp_path: Path, alice: pqc.Identity
) -> None:
    path = tmp_path / "a"
    alice.save(path, passphrase="right")
    with pytest.raises(ValueError, match="wrong passphrase"):
        pqc.Identity.load(path, passphrase="wrong")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="not authentic"):
        pqc.Identity.load(path, passphrase="right")
    path.write_bytes(b"-----BEGIN RSA PRIVATE KEY-----")
    with pytest.raises(ValueError, match=r"expected b.age-encryption.org/v1"):
        pqc.Identity.load(path, passphrase="right")
    path.write_bytes(bytes(1 << 20))
    with pytest.raises(ValueError, match="at most 65536 bytes"):
        pqc.Identity.load(path, passphrase="right")


def test_a_passphrase_costs_an_attacker_128_mib_a_guess(
    tmp_path: Path, alice: pqc.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    alice.save(tmp_path / "a", passphrase="x")
    assert (tmp_path / "a").read_bytes().splitlines()[1].endswith(b" 17")
    assert pqc.Identity.load(tmp_path / "a", passphrase="x").public == alice.public


def test_an_empty_passphrase_is_refused_and_leaves_no_file(tmp_path: Path, alice: pqc.Identity) -> None:
    with pytest.raises(ValueError, match="passphrase: expected at least one character"):
        alice.save(tmp_path / "a", passphrase="")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ä", "x" * 65, "a\n"])
def test_names_that_could_confuse_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name: expected"):
        pqc.Identity.create(name)


def test_secrets_are_neither_shown_nor_pickled_nor_copied(alice: pqc.Identity) -> None:
    assert repr(alice) == f"Identity('alice', {alice.fingerprint})"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            attempt(alice)


def test_public_identities_travel_as_bytes(alice: pqc.Identity) -> None:
    data = alice.public.to_bytes()
    assert pqc.PublicIdentity.from_bytes(bytearray(data)) == alice.public
    assert pickle.loads(pickle.dumps(alice.public)) == alice.public
    for cut in range(len(data)):
        with pytest.raises(ValueError, match="expected"):
            pqc.PublicIdentity.from_bytes(data[:cut])
    with pytest.raises(ValueError, match=f"expected {len(data)} bytes, got {len(data) + 1}"):
        pqc.PublicIdentity.from_bytes(data + b"\0")
    with pytest.raises(ValueError, match="name in ASCII"):
        pqc.PublicIdentity.from_bytes(data[:6] + b"\xff" + data[7:])


def test_the_fingerprint_covers_both_keys(alice: pqc.Identity, bob: pqc.Identity) -> None:
    one, other = alice.public, bob.public
    mixed = pqc.PublicIdentity("alice", one.ml_dsa_key, other.ed25519_key)
    assert len({one.fingerprint, other.fingerprint, mixed.fingerprint}) == 3
    assert len(one.fingerprint.split("-")) == 16


def test_a_file_with_other_content_is_refused(alice: pqc.Identity, bob: pqc.Identity) -> None:
    ml_dsa, ed25519, cert = (b"-----BEGIN " + block for block in alice._to_pem().split(b"-----BEGIN ")[1:])
    other = b"-----BEGIN " + bob._to_pem().split(b"-----BEGIN ")[3]
    for pem, why in (
        (ml_dsa + ed25519, "expected 3 PEM blocks, got 2"),
        (ed25519 + ml_dsa + cert, "got Ed25519PrivateKey and MLDSA65PrivateKey"),
        (ml_dsa + ed25519 + other, "expected a certificate of the keys beside it, got another's"),
    ):
        with pytest.raises(ValueError, match=why):
            pqc.Identity._from_pem(pem)


def test_certificates_are_signed_with_ml_dsa_65(alice: pqc.Identity) -> None:
    """The object identifier of RFC 9881."""
    assert alice.certificate.signature_algorithm_oid.dotted_string == "2.16.840.1.101.3.4.3.18"


def test_derived_secrets_are_the_identitys_own(
    tmp_path: Path, alice: pqc.Identity, bob: pqc.Identity
) -> None:
    alice.save(tmp_path / "a", passphrase="x")
    again = pqc.Identity.load(tmp_path / "a", passphrase="x")
    assert len(alice.derive("one")) == 32
    assert again.derive("one") == alice.derive("one")
    assert len({alice.derive("one"), alice.derive("two"), bob.derive("one")}) == 3
