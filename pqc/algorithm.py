"""The card of an algorithm: its standard's name, strength, sizes, and which library computes it."""

from dataclasses import dataclass
from typing import Literal

Backend = Literal["cryptography", "pqcrypto"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """What there is to know about an algorithm before using it.

    `category` is NIST's security category (1, 3, 5: as hard as searching an AES-128, -192, -256 key);
    `audited` is false where the backend's own authors call it unaudited; true means OpenSSL's public review
    and security process, not a proof. Sizes are in bytes; `output_bytes` is the size
    of a ciphertext or of a signature, `private_bytes` that of the raw private key.
    """

    name: str
    kind: Literal["KEM", "signature"]
    standard: str
    category: int
    backend: Backend
    audited: bool
    public_bytes: int
    private_bytes: int
    output_bytes: int
