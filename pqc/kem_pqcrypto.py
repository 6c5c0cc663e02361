"""KEMs as `pqcrypto` (Rust) computes them: unaudited by its own word, so never the first choice.

It takes no seeds: a private key here is the expanded one of the algorithm's specification. ML-KEM, HQC and
SNTRUP keep the public key inside it; for Classic McEliece the public key stands behind it. It also holds
Python's global lock while it computes.
"""

import importlib
from typing import Any

from pqc.algorithm import Algorithm


class Public:
    """A public key in raw form."""

    __slots__ = ("_module", "raw")

    def __init__(self, module: Any, raw: bytes) -> None:
        self._module, self.raw = module, raw

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return (ciphertext, secret). Raises ValueError for an invalid key."""
        ciphertext, secret = self._module.encaps(self.raw)
        return ciphertext, secret

    def spki(self) -> bytes:
        """There is none."""
        raise ValueError("pqcrypto has no SubjectPublicKeyInfo for its keys: use to_bytes()")


class Private:
    """A private key in raw form."""

    __slots__ = ("_module", "_secret", "raw")

    def __init__(self, module: Any, raw: bytes) -> None:
        self._module, self.raw = module, raw
        self._secret = raw[: module.SECRET_KEY_SIZE]

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the secret."""
        return bytes(self._module.decaps(self._secret, ciphertext))

    def pkcs8(self) -> bytes:
        """There is none."""
        raise ValueError("pqcrypto has no PKCS#8 for its keys: use to_bytes()")


class Maker:
    """Makes and reads the keys of one parameter set; the backend is loaded on first use."""

    def __init__(self, card: Algorithm, module: str, public_at: int | None) -> None:
        self.card = card
        self._name = module
        self._public_at = public_at  # where the private key holds the public one, None: behind it

    @property
    def _module(self) -> Any:
        package = importlib.import_module("pqcrypto.kem")
        return getattr(package, self._name)

    def generate(self) -> tuple[Private, Public]:
        """Make a key pair."""
        module = self._module
        public, secret = module.keygen()
        raw = secret if self._public_at is not None else secret + public
        return Private(module, raw), Public(module, public)

    def private(self, raw: bytes) -> tuple[Private, Public]:
        """Read a private key. Raises ValueError where ML-KEM's inner hash does not fit (FIPS 203 7.3)."""
        private = Private(self._module, raw)
        start = self._module.SECRET_KEY_SIZE if self._public_at is None else self._public_at
        if self.card.standard == "FIPS 203":
            private.decapsulate(bytes(self.card.output_bytes))
        return private, self.public(raw[start : start + self.card.public_bytes])

    def public(self, raw: bytes) -> Public:
        """Read a public key. Raises ValueError for one that is not reduced (FIPS 203 section 7.2)."""
        public = Public(self._module, raw)
        if self.card.standard == "FIPS 203":
            try:
                public.encapsulate()
            except ValueError:
                raise ValueError(
                    f"{self.card.name} public key: expected coefficients below 3329, got one not reduced"
                ) from None
        return public


# Name, category, bytes of public key, private key and ciphertext, module, place of the public key.
_ML_KEM = (
    ("ML-KEM-512", 1, 800, 1632, 768, "ml_kem_512", 768),
    ("ML-KEM-768", 3, 1184, 2400, 1088, "ml_kem_768", 1152),
    ("ML-KEM-1024", 5, 1568, 3168, 1568, "ml_kem_1024", 1536),
)
_HQC = (
    ("HQC-128", 1, 2241, 2321, 4433, "hqc_128", 0),
    ("HQC-192", 3, 4514, 4602, 8978, "hqc_192", 0),
    ("HQC-256", 5, 7237, 7333, 14421, "hqc_256", 0),
)
# Of the designers' two claims (rounds 2 and 3 of NIST's competition) the lower category.
_SNTRUP = (
    ("sntrup653", 1, 994, 1518, 897, "sntrup_653", 328),
    ("sntrup761", 2, 1158, 1763, 1039, "sntrup_761", 382),
    ("sntrup857", 3, 1322, 1999, 1184, "sntrup_857", 430),
    ("sntrup953", 3, 1505, 2254, 1349, "sntrup_953", 478),
    ("sntrup1013", 4, 1623, 2417, 1455, "sntrup_1013", 508),
    ("sntrup1277", 5, 2067, 3059, 1847, "sntrup_1277", 640),
)
_MCELIECE = tuple(
    (f"Classic-McEliece-{size}{f}", category, public, secret + public, output, f"mceliece_{size}{f}", None)
    for size, category, public, secret, output in (
        ("348864", 1, 261120, 6492, 96),
        ("460896", 3, 524160, 13608, 156),
        ("6688128", 5, 1044992, 13932, 208),
        ("6960119", 5, 1047319, 13948, 194),
        ("8192128", 5, 1357824, 14120, 208),
    )
    for f in ("", "f")
)
_STANDARDS = (
    ("FIPS 203", _ML_KEM),
    ("HQC, selected by NIST 2025", _HQC),
    ("Classic McEliece, ISO/IEC 18033-2 amendment", _MCELIECE),
    ("Streamlined NTRU Prime, NIST round 3", _SNTRUP),
)
MAKERS: tuple[Maker, ...] = tuple(
    Maker(
        Algorithm(name, "KEM", standard, category, "pqcrypto", False, public, private, output),
        module,
        public_at,
    )
    for standard, rows in _STANDARDS
    for name, category, public, private, output, module, public_at in rows
)
