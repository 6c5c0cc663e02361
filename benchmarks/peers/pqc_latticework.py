"""Our ML-KEM-768 and ML-DSA-65, one operation a call."""

from typing import Any

from benchmarks.peers.worker import Wrong, serve
from pqc import kem, sign

MESSAGE = bytes(64)


def expect(right: bool) -> None:
    """Exact, so no bits to tell; Wrong if it is not."""
    if not right:
        raise Wrong("the other side does not agree")


def set_up(case: dict[str, Any]) -> Any:
    """The verbs of ML-KEM-768 and ML-DSA-65 through `pqc`."""
    scheme = kem.algorithm("ML-KEM-768")
    key, signer = scheme.generate(), sign.algorithm("ML-DSA-65").generate()
    ciphertext, secret = key.public.encapsulate()
    signature = signer.sign(MESSAGE)
    verbs = {
        "ml_kem_768_generate": scheme.generate,
        "ml_kem_768_encapsulate": key.public.encapsulate,
        "ml_kem_768_decapsulate": lambda: key.decapsulate(ciphertext),
        "ml_dsa_65_sign": lambda: signer.sign(MESSAGE),
        "ml_dsa_65_verify": lambda: signer.public.verify(signature, MESSAGE),
    }
    checks = {
        "ml_kem_768_generate": lambda got: expect(
            got.decapsulate((pair := got.public.encapsulate())[0]) == pair[1]
        ),
        "ml_kem_768_encapsulate": lambda got: expect(key.decapsulate(got[0]) == got[1]),
        "ml_kem_768_decapsulate": lambda got: expect(got == secret),
        "ml_dsa_65_sign": lambda got: signer.public.verify(got, MESSAGE),
        "ml_dsa_65_verify": lambda got: None,  # it raises for a signature that is wrong
    }
    return {}, verbs, checks


if __name__ == "__main__":
    serve(set_up)
