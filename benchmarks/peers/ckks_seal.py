"""SEAL as TenSEAL ships it: CKKS, with a first and a special prime of 60 bits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tenseal.sealapi as api

from benchmarks.peers.worker import checks, serve


def set_up(case: dict[str, Any]) -> Any:
    """The same verbs in SEAL, on one thread; ValueError if more are asked for."""
    n, threads = 1 << case["log_n"], case["threads"]
    if threads != 1:
        raise ValueError(f"threads is {threads}, expected 1: SEAL's operations use one")
    parms = api.EncryptionParameters(api.SCHEME_TYPE.CKKS)
    parms.set_poly_modulus_degree(n)
    sizes = [60] + [40] * case["depth"] + [60]
    parms.set_coeff_modulus(api.CoeffModulus.Create(n, sizes))
    context = api.SEALContext(parms, True, api.SEC_LEVEL_TYPE.TC128)
    keygen = api.KeyGenerator(context)
    public, relin, galois = api.PublicKey(), api.RelinKeys(), api.GaloisKeys()
    keygen.create_public_key(public)
    keygen.create_relin_keys(relin)
    keygen.create_galois_keys([3], galois)  # the Galois element of a rotation by one slot
    encoder, evaluator = api.CKKSEncoder(context), api.Evaluator(context)
    encryptor, decryptor = api.Encryptor(context, public), api.Decryptor(context, keygen.secret_key())
    values = np.random.default_rng(0).uniform(-1, 1, n // 2)
    listed, scale = values.tolist(), 2.0**40

    def encode() -> Any:
        plain = api.Plaintext()
        encoder.encode(listed, scale, plain)
        return plain

    plain = encode()

    def encrypt() -> Any:
        out = api.Ciphertext()
        encryptor.encrypt(plain, out)
        return out

    x = encrypt()

    def decode(plain: Any) -> Any:
        return np.array(encoder.decode_double(plain))

    def decrypt(x: Any) -> Any:
        plain = api.Plaintext()
        decryptor.decrypt(x, plain)
        return decode(plain)

    def new(call: Any, *arguments: Any) -> Any:
        out = api.Ciphertext()
        call(*arguments, out)
        return out

    def multiply() -> Any:
        out = new(evaluator.multiply, x, x)
        evaluator.relinearize_inplace(out, relin)
        evaluator.rescale_to_next_inplace(out)
        return out

    verbs = {
        "encode": encode,
        "encrypt": encrypt,
        "decrypt": lambda: decrypt(x),
        "add": lambda: new(evaluator.add, x, x),
        "multiply_plain": lambda: new(evaluator.multiply_plain, x, plain),
        "multiply": multiply,
        "rotate": lambda: new(lambda x, out: evaluator.apply_galois(x, 3, galois, out), x),
    }
    log_qp = math.fsum(math.log2(q.value()) for q in parms.coeff_modulus())
    return {"log_qp": log_qp}, verbs, checks(values, decode, decrypt, lambda got: got)


if __name__ == "__main__":
    serve(set_up)
