"""Key encapsulation and signatures, beside what they stand on in the same run; `make bench` runs this."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem

from benchmarks.turns import Work, ratio, repeat
from pqc import kem, sign
from pqc.algorithm import Backend
from pqc.hybrid import XWingPrivateKey

KEMS: list[tuple[str, Backend]] = [
    (card.name, card.backend) for card in kem.algorithms() if "ML-KEM" in card.name
]


@pytest.mark.parametrize("operation", ["generate", "encapsulate", "decapsulate"])
@pytest.mark.parametrize(("name", "backend"), KEMS)
def test_kem(benchmark: Any, name: str, backend: Backend, operation: str) -> None:
    algorithm = kem.algorithm(name, backend)
    private = algorithm.generate()
    ciphertext, secret = private.public.encapsulate()
    assert private.decapsulate(ciphertext) == secret
    work: dict[str, Work] = {
        "generate": algorithm.generate,
        "encapsulate": private.public.encapsulate,
        "decapsulate": lambda: private.decapsulate(ciphertext),
    }
    benchmark(work[operation])
    benchmark.extra_info["ciphertext_bytes"] = algorithm.card.output_bytes


@pytest.mark.parametrize("operation", ["encapsulate", "decapsulate"])
def test_kem_beside_its_backend(benchmark: Any, operation: str) -> None:
    theirs = mlkem.MLKEM768PrivateKey.generate()
    public = theirs.public_key()
    ours = kem.algorithm("ML-KEM-768").private_key(theirs.private_bytes_raw())
    secret, ciphertext = public.encapsulate()
    assert ours.decapsulate(ciphertext) == secret
    pairs: dict[str, tuple[Work, Work]] = {
        "encapsulate": (ours.public.encapsulate, public.encapsulate),
        "decapsulate": (lambda: ours.decapsulate(ciphertext), lambda: theirs.decapsulate(ciphertext)),
    }
    mine, backends = pairs[operation]
    measured = ratio(repeat(mine, 200), repeat(backends, 200), 51 if benchmark.enabled else 1)
    benchmark.extra_info["ratio_to_backend"] = round(measured, 3)
    benchmark(mine)


@pytest.mark.parametrize("operation", ["generate", "encapsulate", "decapsulate"])
def test_x_wing(benchmark: Any, operation: str) -> None:
    private = XWingPrivateKey.generate()
    ciphertext, secret = private.public.encapsulate()
    assert private.decapsulate(ciphertext) == secret
    work: dict[str, Work] = {
        "generate": XWingPrivateKey.generate,
        "encapsulate": private.public.encapsulate,
        "decapsulate": lambda: private.decapsulate(ciphertext),
    }
    benchmark(work[operation])


@pytest.mark.parametrize("operation", ["sign", "verify"])
@pytest.mark.parametrize("name", ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
def test_signature(benchmark: Any, name: str, operation: str) -> None:
    private = sign.algorithm(name).generate()
    signature = private.sign(b"message")
    private.public.verify(signature, b"message")
    work: dict[str, Work] = {
        "sign": lambda: private.sign(b"message"),
        "verify": lambda: private.public.verify(signature, b"message"),
    }
    benchmark(work[operation])
    benchmark.extra_info["signature_bytes"] = len(signature)
