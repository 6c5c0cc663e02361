"""Our CKKS engine, at the ring degree and the number of primes of the peer, within the security table."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.worker import checks, serve
from he.ckks import encoding, encrypt, evaluate, keyswitch
from he.ckks.keys import EvaluationKeys, PublicKey, SecretKey
from he.ckks.params import CkksParams, CkksSpec
from he.ckks.ring import Ring


def set_up(case: dict[str, Any]) -> Any:
    """Keys and ciphertexts of a case, and what a worker calls: verbs by name, with checks and settings."""
    sizes = {name: case[name] for name in ("log_n", "depth", "first_bits", "special", "special_bits")}
    params = CkksParams.from_spec(CkksSpec(**sizes))
    ring = Ring(params, case.get("path"), case["threads"])
    secret = SecretKey.generate(ring)
    public, keys = PublicKey.generate(secret), EvaluationKeys.generate(secret, (1,))
    values = np.random.default_rng(0).uniform(-1, 1, params.slots)
    level, scale = params.top_level, params.scale
    plain = encoding.encode(ring, values, level, scale)
    x = encrypt.encrypt_public(public, plain)

    def decrypt(x: Any) -> Any:
        return encrypt.decrypt(secret, x).real

    verbs = {
        "encode": lambda: encoding.encode(ring, values, level, scale),
        "encrypt": lambda: encrypt.encrypt_public(public, plain),
        "decrypt": lambda: decrypt(x),
        "add": lambda: evaluate.add(ring, x, x),
        "multiply_plain": lambda: evaluate.multiply_plain(ring, x, plain),
        "multiply": lambda: evaluate.multiply_rescale(keys, x, x),
        "rotate": lambda: keyswitch.rotate(keys, x, 1),
    }
    return (
        {"log_qp": params.log_qp, "digits": ring.gadget(level).digits},
        verbs,
        checks(values, lambda got: encoding.decode(ring, got).real, decrypt, lambda got: got),
    )


if __name__ == "__main__":
    serve(set_up)
