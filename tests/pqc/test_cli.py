"""The command line: a whole story from keys to files and channels, and errors in one line."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pqc import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "word").write_text("correct horse\n")
    (tmp_path / "plain").write_bytes(b"patient data" * 1000)
    monkeypatch.chdir(tmp_path)
    return tmp_path


Run = Callable[..., str]


@pytest.fixture
def pqc(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in the folder, in this process, and returns what it says."""

    def run(*arguments: str, text: str = "", fails: bool = False) -> str:
        monkeypatch.setattr(sys, "argv", ["pqc", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        sys.stdout.flush()
        assert (ended.value.code not in (0, None)) == fails, ended.value.code
        return f"{ended.value.code}\n" if fails else capfd.readouterr().out

    return run


WORD = ("--passphrase-file", "word")


@pytest.fixture
def party(folder: Path, pqc: Run) -> Path:
    """An identity `a`, pinned in `trust.toml`."""
    shown = pqc("keygen", "hospital-a", "-o", "a", *WORD)
    assert pqc("fingerprint", "a.pem") == f"hospital-a {shown}"
    pqc("trust", "add", "a.pem", "-t", "trust.toml")
    assert pqc("trust", "list", "-t", "trust.toml") == f"hospital-a {shown}"
    return folder


def test_seal_inspect_open_and_rewrap(party: Path, pqc: Run) -> None:
    recipient = pqc("keygen", "me", "--age", "-o", "key", *WORD).strip()
    other = pqc("keygen", "you", "--age", "-o", "other", *WORD).strip()
    (party / "others").write_text(other + "\n")
    pqc("seal", "plain", "sealed", "-r", recipient, "-i", "a", *WORD)
    seen = pqc("inspect", "sealed")
    assert seen.splitlines() == [
        "age file, 12000 bytes of content, signed",
        "  stanza mlkem768x25519",
        "  stanza latticework.signature",
    ]
    pqc("open", "sealed", "back", "-k", "key", "-t", "trust.toml", *WORD)
    assert (party / "back").read_bytes() == (party / "plain").read_bytes()
    pqc("rewrap", "sealed", "again", "-k", "key", "-r", "others", *WORD)
    assert pqc("open", "again", "-", "-k", "other", *WORD) == (party / "plain").read_text()
    assert "error: none of 1 keys opens" in pqc("open", "again", "x", "-k", "key", *WORD, fails=True)
    assert not (party / "x").exists()


def test_a_passphrase_in_place_of_keys(pqc: Run) -> None:
    pqc("seal", "-", "sealed", "-p", *WORD, text="from a pipe")
    assert pqc("open", "sealed", "-", "-p", *WORD) == "from a pipe"


def test_sign_verify_rotate_and_revoke(party: Path, pqc: Run) -> None:
    pqc("sign", "plain", "plain.sig", "-i", "a", *WORD)
    assert pqc("verify", "plain", "plain.sig", "-t", "trust.toml") == "hospital-a\n"
    assert "detached signature, by its own word of PublicIdentity('hospital-a'" in pqc("inspect", "plain.sig")
    (party / "plain").write_bytes(b"changed")
    failure = pqc("verify", "plain", "plain.sig", "-t", "trust.toml", fails=True)
    assert failure == "error: this is not what 'hospital-a' signed\n"
    pqc("rotate", "a", "-o", "b", *WORD)
    seen = pqc("inspect", "b.rotation")
    assert seen.startswith("rotation of PublicIdentity('hospital-a', ")
    assert seen.endswith(", signed by both keys\n")
    pqc("trust", "accept", "b.rotation", "-t", "trust.toml")
    failure = pqc("verify", "plain", "plain.sig", "-t", "trust.toml", fails=True)
    assert "rotated to" in failure
    pqc("revoke", "b", "laptop stolen", "-o", "b.revocation", *WORD)
    assert pqc("inspect", "b.revocation").endswith(" by its own key: laptop stolen\n")
    (party / "broken").write_bytes((party / "b.revocation").read_bytes()[:-1] + b"?")
    assert pqc("inspect", "broken", fails=True) == "error: revocation: the signature is wrong\n"
    pqc("trust", "accept", "b.revocation", "-t", "trust.toml")
    assert "revoked" in pqc("trust", "list", "-t", "trust.toml").splitlines()[0]


def test_inspect_reads_a_pipe(party: Path) -> None:
    environment = {"PYTHONPATH": str(ROOT)}
    for name, says in (("a", "age file, "), ("a.pem", "certificate of PublicIdentity('hospital-a'")):
        with subprocess.Popen(["cat", name], stdout=subprocess.PIPE) as pipe:
            command = [sys.executable, "-m", "pqc", "inspect", "-"]
            shown = subprocess.run(
                command, stdin=pipe.stdout, capture_output=True, text=True, timeout=60, env=environment
            )
        assert shown.stdout.startswith(says), shown.stderr


def test_two_processes_talk_line_by_line(party: Path, pqc: Run) -> None:
    pqc("keygen", "hospital-b", "-o", "b", *WORD)
    pqc("trust", "add", "b.pem", "-t", "trust.toml")
    common = ["-t", "trust.toml", *WORD]
    serve = [sys.executable, "-m", "pqc", "serve", "-i", "b", "--once", *common]
    connect = [sys.executable, "-m", "pqc", "connect", "--peer", "hospital-b", "-i", "a", *common]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split()[-1]
            client = subprocess.run(
                [*connect, port],
                input="hello\nyou\x1b[2J\n",
                capture_output=True,
                text=True,
                timeout=30,
                env=environment,
            )
            assert client.stdout == "HELLO\n'YOU\\x1b[2J'\n"
            assert server.communicate(timeout=30)[0].splitlines() == [
                "hospital-a connected with X25519MLKEM768",
                "hospital-a: hello",
                "hospital-a: 'you\\x1b[2J'",
                "hospital-a closed",
            ]
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("keygen", "a b", "-o", "x", *WORD), "error: name: expected 1 to 64"),
        (("keygen", "a", "-o", "plain", *WORD), "error: [Errno 17] File exists"),
        (("open", "plain", "x", "-p", *WORD), "error: expected b'age-encryption.org/v1"),
        (("open", "plain", "x"), "error: expected --key FILE or --passphrase, got neither"),
        (("seal", "plain", "x"), "error: recipients: expected at least one, got none"),
        (("seal", "plain", "x", "-r", "age1nonsense"), "error: bech32"),
        (("inspect", "nowhere"), "error: [Errno 2] No such file"),
        (("fingerprint", "plain"), "error: Unable to load PEM file"),
    ],
)
def test_errors_are_one_line(pqc: Run, arguments: tuple[str, ...], why: str) -> None:
    failure = pqc(*arguments, fails=True)
    assert failure.startswith(why)
    assert failure.count("\n") == 1


def test_bench_runs(pqc: Run) -> None:
    assert pqc("bench").count(" ms  ") == 4
