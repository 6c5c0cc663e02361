"""Envelopes: who can open them, who signed them, and that nothing unauthentic ever comes out."""

import pickle
import stat
import threading
from io import BytesIO
from os import fdopen, pipe
from pathlib import Path

import pytest

import pqc
from pqc import authorship, envelope
from pqc.age import header
from pqc.envelope import AgeKey, AgeRecipient, HeaderError, NoMatchError, Passphrase, PayloadError

PLAIN = bytes(range(256)) * 300  # two chunks
KEY, OTHER, STRANGER = AgeKey.generate(), AgeKey.generate(), AgeKey.generate()


def test_every_recipient_and_nobody_else_opens_it() -> None:
    sealed = envelope.seal_bytes(PLAIN, [KEY.recipient, OTHER.recipient])
    for keys in ([KEY], [OTHER], [STRANGER, OTHER]):
        assert envelope.open_bytes(sealed, keys) == (PLAIN, None)
    with pytest.raises(NoMatchError, match="none of 1 keys opens this file"):
        envelope.open_bytes(sealed, [STRANGER])


def test_keys_survive_their_text() -> None:
    text = KEY.to_text()
    assert text.startswith("AGE-SECRET-KEY-PQ-1")
    assert AgeKey.parse(text).recipient == AgeRecipient.parse(str(KEY.recipient)) == KEY.recipient
    assert str(KEY.recipient).startswith("age1pq1")
    with pytest.raises(ValueError, match="bech32"):
        AgeRecipient.parse(text)


def test_a_passphrase_opens_it_and_stands_alone() -> None:
    word = Passphrase("correct horse", work_log2=10)
    sealed = envelope.seal_bytes(b"x", [word])
    assert envelope.open_bytes(sealed, [word]).content == b"x"
    with pytest.raises(NoMatchError, match="wrong passphrase"):
        envelope.open_bytes(sealed, [Passphrase("wrong")])
    with pytest.raises(ValueError, match="expected a passphrase alone, got 2"):
        envelope.seal_bytes(b"x", [word, KEY.recipient])
    costly = sealed.replace(b" 10\n", b" 21\n")
    with pytest.raises(HeaderError, match="work factor of 1 to 20, got 21"):
        envelope.open_bytes(costly, [word])


def test_the_sender_is_known_if_pinned(
    alice: pqc.Identity, mallory: pqc.Identity, trust: pqc.TrustStore
) -> None:
    sealed = envelope.seal_bytes(PLAIN, [KEY.recipient], signer=alice)
    assert envelope.open_bytes(sealed, [KEY], trust=trust) == (PLAIN, "alice")
    assert envelope.open_bytes(sealed, [KEY]) == (PLAIN, None)
    assert alice.name.encode() not in sealed
    with pytest.raises(HeaderError, match="signature: expected 1, got 0"):
        envelope.open_bytes(envelope.seal_bytes(PLAIN, [KEY.recipient]), [KEY], trust=trust)
    with pytest.raises(pqc.PeerRefused, match="got 'mallory'"):
        envelope.open_bytes(envelope.seal_bytes(PLAIN, [KEY.recipient], signer=mallory), [KEY], trust=trust)
    with pytest.raises(ValueError, match="passphrase stands alone"):
        envelope.seal_bytes(b"x", [Passphrase("x")], signer=alice)


def test_a_signature_moved_to_another_body_or_file_key_is_refused(
    alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    """Bob, a recipient who knows the file key, cannot put Alice's name on other content."""
    sealed = envelope.seal_bytes(PLAIN, [KEY.recipient], signer=alice)
    source = BytesIO(sealed)
    head = header.read(source)
    file_key = KEY.unwrap(head.stanzas)
    assert file_key is not None
    forged = BytesIO()
    forged.write(head.to_bytes())
    from pqc.age import stream

    stream.encrypt(file_key, BytesIO(b"other content"), forged.write)
    assert envelope.open_bytes(forged.getvalue(), [KEY]).content == b"other content"
    with pytest.raises(HeaderError, match="signature is wrong"):
        envelope.open_bytes(forged.getvalue(), [KEY], trust=trust)


def test_a_wrong_signature_releases_nothing_even_of_an_authentic_body(
    alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    sealed = envelope.seal_bytes(PLAIN, [KEY.recipient], signer=alice)
    sink = BytesIO()
    with pytest.raises(HeaderError, match=r"the signature is wrong: it is not authentic$"):
        envelope.open_stream(BytesIO(sealed[:-1] + bytes([sealed[-1] ^ 1])), sink, [KEY], trust=trust)
    assert sink.getvalue() == b""


def test_rewrap_changes_who_can_open_and_keeps_body_and_signature(
    alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    sealed = envelope.seal_bytes(PLAIN, [KEY.recipient], signer=alice)
    sink = BytesIO()
    envelope.rewrap(BytesIO(sealed), sink, [KEY], [OTHER.recipient])
    again = sink.getvalue()
    assert envelope.open_bytes(again, [OTHER], trust=trust) == (PLAIN, "alice")
    with pytest.raises(NoMatchError):
        envelope.open_bytes(again, [KEY])
    assert again.endswith(sealed[-len(PLAIN) :])
    with pytest.raises(NoMatchError):
        envelope.rewrap(BytesIO(sealed), BytesIO(), [STRANGER], [STRANGER.recipient])


@pytest.mark.parametrize(
    ("signed", "step"), [(False, 1), (True, 7), pytest.param(True, 1, marks=pytest.mark.slow)]
)
def test_a_flipped_bit_anywhere_releases_nothing(
    signed: bool, step: int, alice: pqc.Identity, trust: pqc.TrustStore
) -> None:
    sealed = envelope.seal_bytes(b"content", [KEY.recipient], signer=alice if signed else None)
    for place in range(0, len(sealed), step):
        changed = sealed[:place] + bytes([sealed[place] ^ 1 << place % 8]) + sealed[place + 1 :]
        sink = BytesIO()
        with pytest.raises((HeaderError, NoMatchError, PayloadError)):
            envelope.open_stream(BytesIO(changed), sink, [KEY], trust=trust if signed else None)
        assert sink.getvalue() == b""


def test_a_file_cut_anywhere_releases_nothing() -> None:
    sealed = envelope.seal_bytes(b"content", [KEY.recipient])
    for cut in range(len(sealed)):
        sink = BytesIO()
        with pytest.raises((HeaderError, NoMatchError, PayloadError)):
            envelope.open_stream(BytesIO(sealed[:cut]), sink, [KEY])
        assert sink.getvalue() == b""


def test_files_appear_whole_or_not_at_all(tmp_path: Path, alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    plain, sealed, back = tmp_path / "plain", tmp_path / "sealed.age", tmp_path / "back"
    plain.write_bytes(PLAIN)
    envelope.seal_file(plain, sealed, [KEY.recipient], signer=alice)
    assert envelope.open_file(sealed, back, [KEY], trust=trust) == "alice"
    assert back.read_bytes() == PLAIN
    assert stat.S_IMODE(back.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        envelope.open_file(sealed, back, [KEY])
    envelope.rewrap_file(sealed, tmp_path / "again.age", [KEY], [OTHER.recipient])
    assert envelope.open_file(tmp_path / "again.age", tmp_path / "again", [OTHER]) is None
    before = sorted(tmp_path.iterdir())
    sealed.write_bytes(sealed.read_bytes()[:-1])
    with pytest.raises(PayloadError):
        envelope.open_file(sealed, tmp_path / "never", [KEY])
    assert sorted(tmp_path.iterdir()) == before


def test_a_signed_pipe_is_verified_before_any_output(alice: pqc.Identity, trust: pqc.TrustStore) -> None:
    sealed = envelope.seal_bytes(PLAIN, [KEY.recipient], signer=alice)
    for content, good in ((sealed, True), (sealed[:-1] + b"?", False)):
        reading, writing = pipe()
        thread = threading.Thread(target=_write, args=(writing, content))
        thread.start()
        sink = BytesIO()
        with fdopen(reading, "rb") as source:
            if good:
                assert envelope.open_stream(source, sink, [KEY], trust=trust) == "alice"
            else:
                with pytest.raises(HeaderError):
                    envelope.open_stream(source, sink, [KEY], trust=trust)
        thread.join()
        assert sink.getvalue() == (PLAIN if good else b"")


def _write(descriptor: int, content: bytes) -> None:
    with fdopen(descriptor, "wb") as sink:
        sink.write(content)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 300_000])
def test_inspect_needs_no_key(size: int, alice: pqc.Identity) -> None:
    sealed = envelope.seal_bytes(bytes(size), [KEY.recipient, OTHER.recipient], signer=alice)
    seen = envelope.inspect(BytesIO(sealed))
    assert seen.stanzas == ("mlkem768x25519", "mlkem768x25519", authorship.KIND)
    assert (seen.signed, seen.content_bytes) == (True, size)


def test_nobody_to_seal_for_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected at least one, got none"):
        envelope.seal_bytes(b"x", [])


def test_what_was_opened_does_not_show_itself() -> None:
    opened = envelope.open_bytes(envelope.seal_bytes(b"patient", [KEY.recipient]), [KEY])
    assert repr(opened) == "Opened(content=7 bytes, sender=None)"


def test_secrets_are_neither_shown_nor_pickled() -> None:
    for secret in (KEY, Passphrase("hunter2")):
        assert "hunter2" not in repr(secret)
        assert KEY.to_text()[19:40].lower() not in repr(secret).lower()
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)
