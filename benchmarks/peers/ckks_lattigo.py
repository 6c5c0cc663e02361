"""Lattigo through the shared library that orion-fhe ships: CKKS; GOMAXPROCS sets the threads."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from typing import Any

import torch
from worker import bits, serve

sys.modules.setdefault("torchvision", types.ModuleType("torchvision"))  # imported for data sets only
orion = importlib.import_module("orion")


def set_up(case: dict[str, Any]) -> Any:
    """The same verbs through Orion's binding to Lattigo."""
    log_q, log_p = [60] + [40] * case["depth"], case["lattigo_log_p"]
    parameters = {
        "LogN": case["log_n"], "LogQ": log_q, "LogP": log_p, "LogScale": 40, "H": 192, "RingType": "standard",
    }  # fmt: skip
    options = {
        "margin": 2, "embedding_method": "hybrid", "backend": "lattigo", "fuse_modules": True, "debug": False,
        "diags_path": "", "keys_path": "", "io_mode": "none",
    }  # fmt: skip
    scheme = orion.init_scheme({"ckks_params": parameters, "orion": options})
    module = importlib.import_module("orion.core.orion")
    backend = getattr(module, "scheme", scheme).backend
    values = torch.rand(1 << (case["log_n"] - 1), generator=torch.Generator().manual_seed(0)) * 2 - 1
    level = len(log_q) - 1
    plain = orion.encode(values, level)
    x = orion.encrypt(plain)
    c, p = x.ids[0], plain.ids[0]
    backend.AddRotationKey(1)

    def read(identity: int) -> Any:
        """The values of a ciphertext that only its number is known of."""
        decoded = backend.Decode(backend.Decrypt(identity))
        return decoded[: len(values)]

    def read_once(make: Callable[[], Any]) -> Callable[[int], float | None]:
        return lambda identity: bits(read(identity), make())

    verbs = {
        "encode": lambda: orion.encode(values, level),
        "encrypt": lambda: orion.encrypt(plain),
        "decrypt": lambda: orion.decode(orion.decrypt(x)),
        "add": lambda: backend.AddCiphertextNew(c, c),
        "multiply_plain": lambda: backend.MulPlaintextNew(c, p),
        "multiply": lambda: backend.RescaleNew(backend.MulRelinCiphertextNew(c, c)),
        "rotate": lambda: backend.RotateNew(c, 1),
    }
    exact = values.double().numpy()
    checks = {
        "encode": lambda got: bits(orion.decode(got).numpy(), exact),
        "encrypt": lambda got: bits(orion.decode(orion.decrypt(got)).numpy(), exact),
        "decrypt": lambda got: bits(got.numpy(), exact),
        "add": read_once(lambda: 2 * exact),
        "multiply_plain": read_once(lambda: exact * exact),
        "multiply": read_once(lambda: exact * exact),
        "rotate": read_once(lambda: torch.roll(values.double(), -1).numpy()),
    }
    return {"log_qp": sum(log_q) + sum(log_p), "note": "sparse secret, 192 of N not zero"}, verbs, checks


if __name__ == "__main__":
    serve(set_up)
