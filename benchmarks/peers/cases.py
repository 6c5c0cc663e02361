"""The work that product and peers do in turns, by kind and size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CKKS_VERBS = ("encode", "encrypt", "decrypt", "add", "multiply_plain", "multiply", "rotate")
SWITCHING = ("multiply", "rotate")
MPC_VERBS = ("lr_step", "mlp_step", "cnn_step")
MPC_OF_THREE = ("lr_step", "matrix_product", "comparison")
PQC_VERBS = (
    "ml_kem_768_generate", "ml_kem_768_encapsulate", "ml_kem_768_decapsulate", "ml_dsa_65_sign",
    "ml_dsa_65_verify",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One set of parameters for one kind of work: what both sides are set up with.

    verbs: what is timed. peers: for whom, None for all of this kind.
    """

    kind: str
    name: str
    given: dict[str, Any]
    verbs: tuple[str, ...]
    peers: tuple[str, ...] | None = None
    threads: int = 1

    @property
    def set_up(self) -> dict[str, Any]:
        """The request to both workers."""
        return {**self.given, "threads": self.threads}


def _ckks(
    log_n: int, depth: int, special: tuple[int, int], digits: int, lattigo_log_p: list[int]
) -> dict[str, Any]:
    """special: how many primes our P has, of how many bits; digits: OpenFHE's. q_0 has 47 bits."""
    return {
        "log_n": log_n, "depth": depth, "first_bits": 47, "special": special[0], "special_bits": special[1],
        "digits": digits, "lattigo_log_p": lattigo_log_p,
    }  # fmt: skip


N13 = _ckks(13, 2, (1, 47), 3, [60])
N14 = _ckks(14, 7, (2, 47), 8, [60])
N14_STRICT = _ckks(14, 7, (1, 47), 8, [60])
N15 = _ckks(15, 18, (2, 47), 19, [60])
N15_DEEP = _ckks(15, 15, (4, 42), 3, [50] * 3)
N16_DEEP = _ckks(16, 24, (8, 46), 3, [60] * 5)
DEEP_PEERS = ("openfhe", "lattigo", "seal")

TINY = [Case("ckks", "n=2^13-levels=2", N13, ("rotate",))]
SMALL = [
    Case("ckks", "n=2^13-levels=2", N13, CKKS_VERBS),
    Case("ckks", "n=2^14-levels=7", N14, CKKS_VERBS),
    Case("ckks", "n=2^14-levels=7-smaller_modulus", N14_STRICT, SWITCHING),
    Case("ckks", "n=2^15-levels=15", N15_DEEP, SWITCHING, DEEP_PEERS),
    Case("ckks", "n=2^15-levels=15-threads=2", N15_DEEP, SWITCHING, ("openfhe", "lattigo"), threads=2),
    Case("ckks", "n=2^13-levels=2-avx2", N13 | {"path": "avx2"}, SWITCHING, ("seal",)),
    Case("ckks", "n=2^13-levels=2-portable", N13 | {"path": "portable"}, SWITCHING, ("seal",)),
    Case("mpc", "parties=2", {}, MPC_VERBS, ("crypten", "spu")),
    Case("mpc", "parties=3", {"parties": 3}, MPC_OF_THREE, ("mpyc",)),
    Case("pqc", "one_thread", {}, PQC_VERBS),
]
PAPER = [
    *SMALL,
    Case("ckks", "n=2^15-levels=18", N15, CKKS_VERBS, ("seal", "lattigo")),
    Case("ckks", "n=2^14-levels=7-avx2", N14 | {"path": "avx2"}, SWITCHING, ("seal",)),
    Case("ckks", "n=2^14-levels=7-portable", N14 | {"path": "portable"}, SWITCHING, ("seal",)),
    Case("ckks", "n=2^16-levels=24", N16_DEEP, CKKS_VERBS, ("openfhe", "lattigo")),
    Case("ckks", "n=2^16-levels=24-threads=2", N16_DEEP, SWITCHING, ("openfhe", "lattigo"), threads=2),
]
BY_SIZE = {"tiny": TINY, "small": SMALL, "paper": PAPER}


def cases_for(size: str, kind: str, peer: str) -> Iterator[Case]:
    """The cases of this size that the peer takes part in."""
    for case in BY_SIZE[size]:
        if case.kind == kind and (case.peers is None or peer in case.peers):
            yield case
