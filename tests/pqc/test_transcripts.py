"""Recorded handshakes, computed again from the initiator's two random numbers without any code of ours.

The second computation uses kyber-py, dilithium-py, hashlib and hmac. The files under `data` are frozen: if
one of these tests fails, the protocol has changed and needs a new version.
`python tests/pqc/test_transcripts.py` records new ones.
"""

import base64
import hashlib
import hmac
import json
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from dilithium_py.ml_dsa import ML_DSA_65
from kyber_py.ml_kem import ML_KEM_768

import pqc
from pqc.handshake import Ephemeral, Initiator, Responder

FOLDER = Path(__file__).parent / "data"
RUNS = sorted(FOLDER.glob("handshake-*.json"))
Run = dict[str, bytes]


def load(path: Path) -> Run:
    return {name: base64.b64decode(value) for name, value in json.loads(path.read_text()).items()}


def expand(secret: bytes, label: str, context: bytes, size: int = 48) -> bytes:
    """HKDF-Expand (RFC 5869) over the label structure of RFC 9846 section 7.1."""
    name = b"latticework " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + bytes([len(context)]) + context
    made, block, number = b"", b"", 1
    while len(made) < size:
        block = hmac.new(secret, block + info + bytes([number]), "sha384").digest()
        made, number = made + block, number + 1
    return made[:size]


def extract(salt: bytes, material: bytes) -> bytes:
    return hmac.new(salt, material, "sha384").digest()


def x_wing(seed: bytes, public: bytes, ciphertext: bytes) -> bytes:
    expanded = hashlib.shake_256(seed).digest(96)
    _, dk = ML_KEM_768._keygen_internal(expanded[:32], expanded[32:64])
    ss_m = ML_KEM_768.decaps(dk, ciphertext[:1088])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    ss_x = x25519.exchange(X25519PublicKey.from_public_bytes(ciphertext[1088:]))
    return hashlib.sha3_256(ss_m + ss_x + ciphertext[1088:] + public[1184:] + b"\\.//^\\").digest()


def check_proof(sealed: bytes, role: str, secret: bytes, at_keys: bytes, transcript: bytes) -> bytes:
    """Open the proof of one end, check its MAC and both halves of its signature; return the identity.

    Both ends' handshake keys come from the transcript at the clear part of message 2 (`at_keys`).
    """
    sealing = AESGCM(expand(secret, f"{role} handshake", at_keys, 32))
    content = sealing.decrypt(bytes(12), sealed, transcript)
    padded, signature, mac = content[:2064], content[2064:-48], content[-48:]
    key = expand(secret, f"{role} finished", at_keys)
    assert hmac.new(key, transcript + padded + signature, "sha384").digest() == mac
    identity = padded[2 : 2 + int.from_bytes(padded[:2], "big")]
    keys = identity[6 + identity[5] :]
    context = b"latticework handshake " + role.encode()
    representative = (
        b"CompositeAlgorithmSignatures2025COMPSIG-MLDSA65-Ed25519-SHA512"
        + bytes([len(context)])
        + context
        + hashlib.sha512(transcript + padded).digest()
    )
    assert ML_DSA_65.verify(keys[:1952], representative, signature[:3309], b"COMPSIG-MLDSA65-Ed25519-SHA512")
    Ed25519PublicKey.from_public_bytes(keys[1952:]).verify(signature[3309:], representative)
    return identity


def open_records(secret: bytes, records: list[bytes]) -> list[bytes]:
    key, iv = expand(secret, "key", b"", 32), int.from_bytes(expand(secret, "iv", b"", 12), "big")
    nonces = [(iv ^ place).to_bytes(12, "big") for place in range(len(records))]
    return [AESGCM(key).decrypt(nonce, record, None) for nonce, record in zip(nonces, records, strict=True)]


def test_the_recorded_runs_are_there() -> None:
    assert [path.name for path in RUNS] == ["handshake-plain.json", "handshake-psk.json"]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_a_recorded_run_is_what_the_document_says(path: Path) -> None:
    run = load(path)
    one, two, three = run["one"], run["two"], run["three"]
    suite = b"latticework SIGMA-I v1: X-Wing, MLDSA65-Ed25519-SHA512, HKDF-SHA384, AES-256-GCM"
    hashed = suite + len(run["prologue"]).to_bytes(8, "big") + run["prologue"] + one + two[:1157]
    at_keys = hashlib.sha384(hashed).digest()
    early = extract(bytes(48), run["psk"] or bytes(48))
    empty = hashlib.sha384().digest()
    secret = extract(expand(early, "derived", empty), x_wing(run["seed"], one[37:], two[37:1157]))
    assert one[:37] == b"LWH1\1" + run["random"]
    assert check_proof(two[1157:], "responder", secret, at_keys, at_keys) == run["responder"]
    transcript = hashlib.sha384(hashed + two[1157:]).digest()
    assert check_proof(three[5:], "initiator", secret, at_keys, transcript) == run["initiator"]
    transcript = hashlib.sha384(hashed + two[1157:] + three).digest()
    master = extract(expand(secret, "derived", empty), bytes(48))
    for role in ("initiator", "responder"):
        traffic = expand(master, f"{role} traffic", transcript)
        opened = open_records(traffic, [run[f"{role} record"], run[f"{role} end"]])
        assert opened == [b"\0hello from the " + role.encode(), b"\2"]
    exporter = expand(master, "exporter", transcript)
    assert expand(exporter, "export binding", b"", 32) == run["exported"]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_our_initiator_takes_part_in_a_recorded_run(path: Path) -> None:
    run = load(path)
    trust = pqc.TrustStore([pqc.PublicIdentity.from_bytes(run["responder"])])
    initiator = Initiator(
        pqc.Identity.create("alice"),
        trust,
        peer="bob",
        prologue=run["prologue"],
        psk=run["psk"] or None,
        ephemeral=Ephemeral(run["random"], run["seed"]),
    )
    assert initiator.start() == run["one"]
    initiator.read(run["two"])
    assert initiator.session.peer == "bob"


def record(psk: bytes) -> dict[str, str]:
    """Make a run and write down all that is needed to compute it again."""
    alice, bob = pqc.Identity.create("alice"), pqc.Identity.create("bob")
    trust = pqc.TrustStore([alice.public, bob.public])
    ephemeral, prologue = Ephemeral.draw(), b"a recorded run"
    initiator = Initiator(alice, trust, peer="bob", prologue=prologue, psk=psk or None, ephemeral=ephemeral)
    responder = Responder(bob, trust, prologue=prologue, psk=psk or None)
    one = initiator.start()
    two = responder.read(one)
    assert two is not None
    three = initiator.read(two)
    responder.read(three)
    run = {
        "random": ephemeral.random,
        "seed": ephemeral.seed,
        "prologue": prologue,
        "psk": psk,
        "initiator": alice.public.to_bytes(),
        "responder": bob.public.to_bytes(),
        "one": one,
        "two": two,
        "three": three,
        "exported": initiator.session.export("binding", 32),
    }
    for role, party in (("initiator", initiator), ("responder", responder)):
        (run[f"{role} record"],) = party.session.sealer.seal(b"hello from the " + role.encode())
        run[f"{role} end"] = party.session.sealer.end()
    return {name: base64.b64encode(value).decode() for name, value in run.items()}


if __name__ == "__main__":
    for name, psk in (("plain", b""), ("psk", bytes(range(32)))):
        path = FOLDER / f"handshake-{name}.json"
        path.write_text(json.dumps(record(psk), indent=1) + "\n")
        sys.stdout.write(f"recorded {path}\n")
