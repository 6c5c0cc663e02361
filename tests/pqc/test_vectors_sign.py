"""ML-DSA and SLH-DSA against NIST's ACVP vectors; dilithium-py where a library takes no randomness."""

import json
from pathlib import Path
from typing import Any

import pytest
from dilithium_py.ml_dsa import ML_DSA_44, ML_DSA_65, ML_DSA_87

from pqc import sign
from pqc.sign import InvalidSignature

SECOND = {"ML-DSA-44": ML_DSA_44, "ML-DSA-65": ML_DSA_65, "ML-DSA-87": ML_DSA_87}


def groups(vectors: Path, kind: str, name: str) -> list[dict[str, Any]]:
    content = json.loads((vectors / "acvp" / kind / "internalProjection.json").read_text())
    found = [group for group in content["testGroups"] if group["parameterSet"] == name]
    assert found
    return found


@pytest.mark.parametrize("name", list(SECOND))
def test_acvp_key_generation(vectors: Path, name: str) -> None:
    (group,) = groups(vectors, "ML-DSA-keyGen-FIPS204", name)
    assert len(group["tests"]) == 25
    for case in group["tests"]:
        private = sign.algorithm(name).private_key(bytes.fromhex(case["seed"]))
        assert private.public.to_bytes().hex().upper() == case["pk"]
        expanded = sign.algorithm(name, "pqcrypto").private_key(bytes.fromhex(case["sk"] + case["pk"]))
        private.public.verify(expanded.sign(b"message"), b"message")


@pytest.mark.parametrize("name", list(SECOND))
def test_a_second_implementation_signs_and_verifies(name: str) -> None:
    """NIST's signature files of 2024 use the inner interface, without context, which no library here offers.

    So dilithium-py, which repeats them (its own tests), is the bridge: it and both backends agree.
    """
    public, private = SECOND[name].keygen()
    theirs = SECOND[name].sign(private, b"message", ctx=b"context")
    for backend in ("cryptography", "pqcrypto"):
        sign.algorithm(name, backend).public_key(public).verify(theirs, b"message", b"context")
        ours = sign.algorithm(name, backend).generate()
        signature = ours.sign(b"message", b"context")
        assert SECOND[name].verify(ours.public.to_bytes(), b"message", signature, ctx=b"context")


@pytest.mark.parametrize("name", list(SECOND))
def test_acvp_verification_through_the_inner_interface(vectors: Path, name: str) -> None:
    """The files' messages are M' of FIPS 204 algorithm 7; `verify_mu` takes mu = H(H(pk) || M')."""
    import hashlib

    from cryptography.hazmat.primitives.asymmetric import mldsa

    key = getattr(mldsa, name.replace("-", "") + "PublicKey")
    checked = 0
    for group in groups(vectors, "ML-DSA-sigVer-FIPS204", name):
        public = bytes.fromhex(group["pk"])
        for case in group["tests"]:
            tr = hashlib.shake_256(public).digest(64)
            mu = hashlib.shake_256(tr + bytes.fromhex(case["message"])).digest(64)
            signature = bytes.fromhex(case["signature"])
            if case["testPassed"]:
                key.from_public_bytes(public).verify_mu(signature, mu)
            else:
                with pytest.raises((InvalidSignature, ValueError)):
                    key.from_public_bytes(public).verify_mu(signature, mu)
            checked += 1
    assert checked == 15


@pytest.mark.parametrize("name", list(SECOND))
def test_acvp_signatures_by_the_second_implementation(vectors: Path, name: str) -> None:
    """One deterministic signature each: pure Python needs about a second for ten."""
    for group in groups(vectors, "ML-DSA-sigGen-FIPS204", name):
        case = group["tests"][0]
        rnd = bytes(32) if group["deterministic"] else bytes.fromhex(case["rnd"])
        made = SECOND[name]._sign_internal(bytes.fromhex(case["sk"]), bytes.fromhex(case["message"]), rnd)
        assert made.hex().upper() == case["signature"]


@pytest.mark.parametrize(
    "name",
    [
        "SLH-DSA-SHA2-128s",
        "SLH-DSA-SHA2-192f",
        pytest.param("SLH-DSA-SHAKE-192s", marks=pytest.mark.slow),
        "SLH-DSA-SHAKE-256f",
    ],
)
def test_acvp_slh_dsa_keys_sign_for_their_public_halves(vectors: Path, name: str) -> None:
    """pqcrypto takes no seeds, so NIST's private key signs and NIST's public key verifies."""
    (group,) = groups(vectors, "SLH-DSA-keyGen-FIPS205", name)
    case = group["tests"][0]
    private = sign.algorithm(name).private_key(bytes.fromhex(case["sk"]))
    assert private.public.to_bytes().hex().upper() == case["pk"]
    sign.algorithm(name).public_key(bytes.fromhex(case["pk"])).verify(private.sign(b"m"), b"m")
