"""ML-KEM against published vectors: ACVP (NIST) and CCTV (C2SP).

kyber-py stands in where no library takes the randomness.
"""

import gzip
import json
from pathlib import Path

import pytest
from kyber_py.ml_kem import ML_KEM_512, ML_KEM_768, ML_KEM_1024

from pqc import kem
from pqc.algorithm import Backend

SECOND = {"ML-KEM-512": ML_KEM_512, "ML-KEM-768": ML_KEM_768, "ML-KEM-1024": ML_KEM_1024}
SETS: list[tuple[str, Backend]] = [
    (card.name, card.backend) for card in kem.algorithms() if card.name in SECOND
]


def acvp(vectors: Path, kind: str, name: str, function: str | None = None) -> list[dict[str, str]]:
    groups = json.loads((vectors / "acvp" / kind / "internalProjection.json").read_text())["testGroups"]
    (group,) = [g for g in groups if g["parameterSet"] == name and g.get("function") == function]
    return [
        {**case, "dk": case.get("dk", group.get("dk")), "ek": case.get("ek", group.get("ek"))}
        for case in group["tests"]
    ]


def fields(path: Path) -> dict[str, bytes]:
    lines = (line.split(" = ") for line in path.read_text().splitlines() if " = " in line)
    return {name: bytes.fromhex(value) for name, value in lines}


@pytest.mark.parametrize("name", ["ML-KEM-768", "ML-KEM-1024"])
def test_acvp_key_generation(vectors: Path, name: str) -> None:
    """Only `cryptography` takes seeds; its expanded key is compared through pqcrypto, which reads it."""
    cases = acvp(vectors, "ML-KEM-keyGen-FIPS203", name)
    assert len(cases) == 25
    for case in cases:
        private = kem.algorithm(name).private_key(bytes.fromhex(case["d"] + case["z"]))
        assert private.public.to_bytes().hex().upper() == case["ek"]
        expanded = kem.algorithm(name, "pqcrypto").private_key(bytes.fromhex(case["dk"]))
        ciphertext, secret = private.public.encapsulate()
        assert expanded.decapsulate(ciphertext) == private.decapsulate(ciphertext) == secret


def test_acvp_key_generation_of_the_smallest_set(vectors: Path) -> None:
    """No library here takes ML-KEM-512's seeds: kyber-py repeats NIST's keys, pqcrypto reads them."""
    cases = acvp(vectors, "ML-KEM-keyGen-FIPS203", "ML-KEM-512")
    assert len(cases) == 25
    for case in cases:
        made = ML_KEM_512._keygen_internal(bytes.fromhex(case["d"]), bytes.fromhex(case["z"]))
        assert [half.hex().upper() for half in made] == [case["ek"], case["dk"]]
        private = kem.algorithm("ML-KEM-512").private_key(bytes.fromhex(case["dk"]))
        assert private.public.to_bytes().hex().upper() == case["ek"]


@pytest.mark.parametrize("name", list(SECOND))
def test_acvp_encapsulation(vectors: Path, name: str) -> None:
    """No library here takes the randomness m, so kyber-py repeats NIST's ciphertexts and ours open them."""
    for case in acvp(vectors, "ML-KEM-encapDecap-FIPS203", name, "encapsulation"):
        secret, ciphertext = SECOND[name]._encaps_internal(
            bytes.fromhex(case["ek"]), bytes.fromhex(case["m"])
        )
        assert (ciphertext.hex().upper(), secret.hex().upper()) == (case["c"], case["k"])
        private = kem.algorithm(name, "pqcrypto").private_key(bytes.fromhex(case["dk"]))
        assert private.decapsulate(ciphertext) == secret
        kem.algorithm(name).public_key(bytes.fromhex(case["ek"]))


@pytest.mark.parametrize("name", list(SECOND))
def test_acvp_decapsulation_with_implicit_rejection(vectors: Path, name: str) -> None:
    """The file gives expanded keys, which only pqcrypto reads."""
    cases = acvp(vectors, "ML-KEM-encapDecap-FIPS203", name, "decapsulation")
    assert {"no modification", "modify ciphertext"} == {case["reason"] for case in cases}
    for case in cases:
        private = kem.algorithm(name, "pqcrypto").private_key(bytes.fromhex(case["dk"]))
        assert private.decapsulate(bytes.fromhex(case["c"])).hex().upper() == case["k"]


@pytest.mark.parametrize(("name", "backend"), SETS)
def test_cctv_keys_that_are_not_reduced_are_all_refused(vectors: Path, name: str, backend: Backend) -> None:
    algorithm = kem.algorithm(name, backend)
    lines = gzip.decompress((vectors / "cctv/ml-kem/modulus" / f"{name}.txt.gz").read_bytes()).split()
    assert len(lines) >= 512
    for line in lines:
        with pytest.raises(ValueError, match="below 3329"):
            algorithm.public_key(bytes.fromhex(line.decode()))


@pytest.mark.parametrize("name", list(SECOND))
@pytest.mark.parametrize("kind", ["strcmp", "unluckysample"])
def test_cctv_ciphertexts(vectors: Path, name: str, kind: str) -> None:
    """strcmp: a comparison that stops at a zero byte accepts it. unlucky: sampling that needs long output.

    The files' seeds d are those of FIPS 203's draft, which hashed them without k, so expanded keys are used.
    """
    case = fields(vectors / "cctv/ml-kem" / kind / f"{name}.txt")
    private = kem.algorithm(name, "pqcrypto").private_key(case["dk"])
    assert private.decapsulate(case["c"]) == case["K"]
