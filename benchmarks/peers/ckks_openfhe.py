"""OpenFHE through its Python wheel: CKKS with hybrid key switching in as many digits as the case says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import openfhe as fhe
from worker import checks, serve


def set_up(case: dict[str, Any]) -> Any:
    """The same verbs in OpenFHE, its scaling left to the caller as ours is."""
    parms = fhe.CCParamsCKKSRNS()
    parms.SetMultiplicativeDepth(case["depth"])
    parms.SetScalingModSize(40)
    parms.SetFirstModSize(60)
    parms.SetRingDim(1 << case["log_n"])
    parms.SetScalingTechnique(fhe.ScalingTechnique.FIXEDMANUAL)
    parms.SetSecurityLevel(fhe.SecurityLevel.HEStd_NotSet)  # the level reached stands beside the result
    parms.SetNumLargeDigits(case["digits"])
    context = fhe.GenCryptoContext(parms)
    for feature in (fhe.PKE, fhe.KEYSWITCH, fhe.LEVELEDSHE, fhe.ADVANCEDSHE):
        context.Enable(feature)
    keys = context.KeyGen()
    context.EvalMultKeyGen(keys.secretKey)
    context.EvalRotateKeyGen(keys.secretKey, [1])
    values = np.random.default_rng(0).uniform(-1, 1, 1 << (case["log_n"] - 1))
    listed = values.tolist()
    plain = context.MakeCKKSPackedPlaintext(listed)
    x = context.Encrypt(keys.publicKey, plain)

    def read(plain: Any) -> Any:
        return np.array(plain.GetRealPackedValue())[: len(listed)]

    def decrypt(x: Any) -> Any:
        return read(context.Decrypt(x, keys.secretKey))

    verbs = {
        "encode": lambda: context.MakeCKKSPackedPlaintext(listed),
        "encrypt": lambda: context.Encrypt(keys.publicKey, plain),
        "decrypt": lambda: context.Decrypt(x, keys.secretKey),
        "add": lambda: context.EvalAdd(x, x),
        "multiply_plain": lambda: context.EvalMult(x, plain),
        "multiply": lambda: context.Rescale(context.EvalMult(x, x)),
        "rotate": lambda: context.EvalRotate(x, 1),
    }
    # P is not shown by the wrapper: as many primes of 60 bits as one digit's modulus needs, at least.
    log_q = math.log2(context.GetModulus()) if hasattr(context, "GetModulus") else 60 + 40 * case["depth"]
    per_digit = -(-(case["depth"] + 1) // case["digits"])
    log_p = 60 * -(-(60 + 40 * (per_digit - 1)) // 60)
    return {"log_qp": log_q + log_p, "digits": case["digits"]}, verbs, checks(values, read, decrypt, read)


if __name__ == "__main__":
    serve(set_up)
