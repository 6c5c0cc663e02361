"""What there is: every algorithm with its standard, strength, backend and sizes."""

from pqc import composite, hybrid, kem, sign
from pqc.algorithm import Algorithm

X_WING = Algorithm(
    "X-Wing",
    "KEM",
    "draft-connolly-cfrg-xwing-kem",
    3,
    "cryptography",
    True,
    hybrid.PUBLIC_BYTES,
    hybrid.SEED_BYTES,
    hybrid.CIPHERTEXT_BYTES,
)
COMPOSITE = Algorithm(
    "MLDSA65-Ed25519-SHA512",
    "signature",
    "draft-ietf-lamps-pq-composite-sigs",
    3,
    "cryptography",
    True,
    composite.PUBLIC_BYTES,
    composite.PRIVATE_BYTES,
    composite.SIGNATURE_BYTES,
)


def available() -> list[Algorithm]:
    """List every algorithm; where two backends have one, the preferred backend stands first."""
    return [X_WING, *kem.algorithms(), COMPOSITE, *sign.algorithms()]
