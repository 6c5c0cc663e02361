"""A signature inside an age file: who made its body, told only to those who can open it.

It is one more stanza, `latticework.signature`, which other programs skip. Its body is sealed under a key
derived from the file key and holds the signer's public identity and a composite signature over
HKDF(file key) || body. So it survives a rewrap, nobody else learns the signer, and a second file key that
happens to open the same body does not fit. It says who wrote the content, not for whom: a recipient may pass
the file on.
"""

import hashlib
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pqc.age.errors import HeaderError
from pqc.age.header import Stanza, hkdf
from pqc.identity import Identity
from pqc.public import PublicIdentity
from pqc.trust import TrustStore

KIND = "latticework.signature"
CONTEXT = b"latticework envelope v1"
KEY_INFO = b"latticework signature key"
COMMITMENT_INFO = b"latticework signature commitment"
ZERO_NONCE = bytes(12)  # the key is used once
SIGNATURE_BYTES = 3373
PIECE_BYTES = 1 << 20


def stanza(identity: Identity, file_key: bytes, body: BinaryIO) -> Stanza:
    """Sign the body from where `body` stands to its end."""
    signed = identity.public.to_bytes() + identity.sign_digest(_digest(file_key, body), CONTEXT)
    return Stanza((KIND,), _cipher(file_key).encrypt(ZERO_NONCE, signed, None))


def verify(stanzas: tuple[Stanza, ...], file_key: bytes, body: BinaryIO, trust: TrustStore) -> str:
    """Return the pinned name of the signer.

    Raises HeaderError where the file is not signed or the signature is wrong, PeerRefused where the signer
    is not pinned.
    """
    found = [each for each in stanzas if each.kind == KIND]
    if len(found) != 1:
        raise HeaderError(f"signature: expected 1, got {len(found)}")
    try:
        signed = _cipher(file_key).decrypt(ZERO_NONCE, found[0].body, None)
        signer = PublicIdentity.from_bytes(signed[:-SIGNATURE_BYTES])
        name = trust.check(signer)
        signer.verify_digest(signed[-SIGNATURE_BYTES:], _digest(file_key, body), CONTEXT)
    except (InvalidTag, InvalidSignature, ValueError) as error:
        raise HeaderError(f"the signature is wrong: {str(error) or 'it is not authentic'}") from None
    return name


def _cipher(file_key: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(hkdf(file_key, b"", KEY_INFO))


def _digest(file_key: bytes, body: BinaryIO) -> bytes:
    hashed = hashlib.sha512(hkdf(file_key, b"", COMMITMENT_INFO))
    while piece := body.read(PIECE_BYTES):
        hashed.update(piece)
    return hashed.digest()
