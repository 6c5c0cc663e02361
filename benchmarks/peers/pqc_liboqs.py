"""liboqs through its Python binding, where it is already installed: ML-KEM-768 and ML-DSA-65."""

import importlib
from typing import Any

from benchmarks.peers.pqc_latticework import MESSAGE, expect
from benchmarks.peers.worker import serve


def set_up(case: dict[str, Any]) -> Any:
    """The same verbs through liboqs's Python face."""
    oqs: Any = importlib.import_module("oqs")
    key, signer = oqs.KeyEncapsulation("ML-KEM-768"), oqs.Signature("ML-DSA-65")
    public, verifier = key.generate_keypair(), signer.generate_keypair()
    ciphertext, secret = key.encap_secret(public)
    signature = signer.sign(MESSAGE)
    fresh = oqs.KeyEncapsulation("ML-KEM-768")
    verbs = {
        "ml_kem_768_generate": fresh.generate_keypair,
        "ml_kem_768_encapsulate": lambda: key.encap_secret(public),
        "ml_kem_768_decapsulate": lambda: key.decap_secret(ciphertext),
        "ml_dsa_65_sign": lambda: signer.sign(MESSAGE),
        "ml_dsa_65_verify": lambda: signer.verify(MESSAGE, signature, verifier),
    }
    checks = {
        "ml_kem_768_generate": lambda got: expect(
            fresh.decap_secret((pair := key.encap_secret(got))[0]) == pair[1]
        ),
        "ml_kem_768_encapsulate": lambda got: expect(key.decap_secret(got[0]) == got[1]),
        "ml_kem_768_decapsulate": lambda got: expect(got == secret),
        "ml_dsa_65_sign": lambda got: expect(signer.verify(MESSAGE, got, verifier)),
        "ml_dsa_65_verify": expect,
    }
    return {}, verbs, checks


if __name__ == "__main__":
    serve(set_up)
