"""A handshake for carriers that are not sockets (pipes, message queues): three messages in, keys out.

    initiator = Initiator(me, trust, peer="bob", prologue=b"session 7")
    responder = Responder(bob, trust, prologue=b"session 7")
    one = initiator.start()
    two = responder.read(one)
    three = initiator.read(two)          # now `initiator.session` seals and opens
    responder.read(three)                # and so does `responder.session`

It is SIGMA-I (Krawczyk, CRYPTO 2003) with one fixed suite: X-Wing (X25519 and ML-KEM-768) for the keys,
composite Ed25519 + ML-DSA-65 signatures for the identities, HKDF-SHA-384, AES-256-GCM. Both ends are
authenticated and confirm the keys; keys of the past stay secret when identities are lost. The initiator's
identity is hidden from active attackers, the responder's from passive ones only. **It has no
machine-checked proof**; `model/handshake.pv` is a symbolic model of it. Over sockets use the channel, which
is TLS 1.3.

Nothing here sends, waits or keeps time: the carrier bounds how long it waits and how many handshakes it runs.
"""

import hashlib
import secrets
from dataclasses import dataclass

from pqc import hybrid, proof, schedule
from pqc.checks import Buffer, Secret, as_bytes, exact_bytes
from pqc.errors import PeerRefused
from pqc.hybrid import XWingPrivateKey, XWingPublicKey
from pqc.identity import Identity
from pqc.proof import HandshakeError
from pqc.public import PublicIdentity
from pqc.records import REKEY_BYTES, REKEY_RECORDS, Opener, Sealer
from pqc.schedule import HandshakeKeys, TrafficSecrets
from pqc.trust import TrustStore

SUITE = b"latticework SIGMA-I v1: X-Wing, MLDSA65-Ed25519-SHA512, HKDF-SHA384, AES-256-GCM"
RANDOM_BYTES = 32
ONE_BYTES = 5 + RANDOM_BYTES + hybrid.PUBLIC_BYTES
TWO_CLEAR_BYTES = 5 + RANDOM_BYTES + hybrid.CIPHERTEXT_BYTES
TWO_BYTES = TWO_CLEAR_BYTES + proof.SEALED_BYTES
THREE_BYTES = 5 + proof.SEALED_BYTES
HEADS = {1: b"LWH1\1", 2: b"LWH1\2", 3: b"LWH1\3"}
SIZES = {1: ONE_BYTES, 2: TWO_BYTES, 3: THREE_BYTES}
MAX_MESSAGE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, repr=False)
class Ephemeral(Secret):
    """What the initiator draws for one run; given from outside only to repeat a recorded run."""

    random: bytes
    seed: bytes

    @classmethod
    def draw(cls) -> "Ephemeral":
        """Draw from the operating system."""
        return cls(secrets.token_bytes(RANDOM_BYTES), secrets.token_bytes(hybrid.SEED_BYTES))


class Session(Secret):
    """What a finished handshake leaves: `sealer` and `opener`, the peer's pinned name, an exporter."""

    __slots__ = ("_exporter", "opener", "peer", "sealer")

    def __init__(self, peer: str, sealer: Sealer, opener: Opener, exporter: bytes) -> None:
        self.peer, self.sealer, self.opener = peer, sealer, opener
        self._exporter = exporter

    def export(self, label: str, length: int) -> bytes:
        """Return bytes that only the two ends know, the same for the same label."""
        return schedule.expand(self._exporter, f"export {label}", b"", length)

    def __repr__(self) -> str:
        return f"<Session with {self.peer!r}>"


class _Party(Secret):
    """What both roles share: the transcript, the proof of identity, and that a failure is final."""

    def __init__(
        self,
        identity: Identity,
        trust: TrustStore,
        *,
        peer: str | None,
        prologue: Buffer,
        psk: Buffer | None,
        max_message_bytes: int,
    ) -> None:
        self._identity, self._trust, self._expected = identity, trust, peer
        self._psk = None if psk is None else exact_bytes(psk, schedule.PSK_BYTES, "pre-shared key")
        self._max_message_bytes = max_message_bytes
        agreed = as_bytes(prologue, "prologue")
        self._transcript = hashlib.sha384(SUITE + len(agreed).to_bytes(8, "big") + agreed)
        self._keys: HandshakeKeys | None = None
        self._waiting_for = 0  # the message that may come now; 0: none
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The finished handshake's keys. Raises HandshakeError before that."""
        if self._session is None:
            raise HandshakeError("the handshake is not finished")
        return self._session

    def _receive(self, message: Buffer) -> bytes:
        """Return the message that is expected now, or fail for good."""
        number, self._waiting_for = self._waiting_for, 0
        if not number:
            raise HandshakeError("expected no message now, got one")
        raw = as_bytes(message, f"message {number}")
        if len(raw) != SIZES[number] or not raw.startswith(HEADS[number]):
            raise HandshakeError(
                f"expected message {number} of {SIZES[number]} bytes, "
                f"got {len(raw)} bytes starting {raw[:5]!r}"
            )
        return raw

    def _hash(self, more: bytes) -> bytes:
        self._transcript.update(more)
        return self._transcript.copy().digest()

    def _agree(self, shared: bytes, transcript: bytes) -> HandshakeKeys:
        self._keys = schedule.handshake_keys(self._psk, shared, transcript)
        return self._keys

    def _trusted(self, claimed: PublicIdentity) -> str:
        """Return the pinned name of a peer that has proved itself. Raises PeerRefused."""
        if claimed == self._identity.public:
            raise PeerRefused(f"expected a peer, got this end's own identity {claimed.name!r}")
        return self._trust.check(claimed, self._expected)

    def _finish(self, peer: str, transcript: bytes, *, initiator: bool) -> None:
        assert self._keys is not None
        made: TrafficSecrets = schedule.traffic_secrets(self._keys.secret, transcript)
        mine, theirs = (made.initiator, made.responder) if initiator else (made.responder, made.initiator)
        limits = (REKEY_RECORDS, REKEY_BYTES)
        opener = Opener(theirs, limits, self._max_message_bytes)
        self._session = Session(peer, Sealer(mine, limits), opener, made.exporter)
        self._keys = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._identity.name!r}>"


class Initiator(_Party):
    """The side that speaks first and says whom it expects."""

    def __init__(
        self,
        identity: Identity,
        trust: TrustStore,
        *,
        peer: str,
        prologue: Buffer = b"",
        psk: Buffer | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        ephemeral: Ephemeral | None = None,
    ) -> None:
        super().__init__(
            identity, trust, peer=peer, prologue=prologue, psk=psk, max_message_bytes=max_message_bytes
        )
        self._ephemeral = ephemeral or Ephemeral.draw()
        self._private = XWingPrivateKey(self._ephemeral.seed)
        self._started = False

    def start(self) -> bytes:
        """Return message 1, 1253 bytes, once."""
        if self._started:
            raise HandshakeError("expected one start, got a second")
        self._started, self._waiting_for = True, 2
        one = HEADS[1] + self._ephemeral.random + self._private.public.to_bytes()
        self._hash(one)
        return one

    def read(self, message: Buffer) -> bytes:
        """Take message 2 and return message 3; then the session stands.

        Raises HandshakeError, or PeerRefused where the peer is authentic but not the expected one; either is
        final.
        """
        two = self._receive(message)
        clear, sealed = two[:TWO_CLEAR_BYTES], two[TWO_CLEAR_BYTES:]
        transcript = self._hash(clear)
        keys = self._agree(self._decapsulate(clear[5 + RANDOM_BYTES :]), transcript)
        peer = self._trusted(proof.check(sealed, proof.RESPONDER, keys.responder, transcript))
        transcript = self._hash(sealed)
        three = HEADS[3] + proof.make(self._identity, proof.INITIATOR, keys.initiator, transcript)
        self._finish(peer, self._hash(three), initiator=True)
        return three

    def _decapsulate(self, ciphertext: bytes) -> bytes:
        try:
            return self._private.decapsulate(ciphertext)
        except ValueError:
            raise HandshakeError("the peer's proof is not authentic") from None


class Responder(_Party):
    """The side that answers; without `peer` it takes any pinned one."""

    def __init__(
        self,
        identity: Identity,
        trust: TrustStore,
        *,
        peer: str | None = None,
        prologue: Buffer = b"",
        psk: Buffer | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        super().__init__(
            identity, trust, peer=peer, prologue=prologue, psk=psk, max_message_bytes=max_message_bytes
        )
        self._waiting_for = 1
        self._transcript_at_two = b""

    def read(self, message: Buffer) -> bytes | None:
        """Take message 1 and return message 2; take message 3 and return None, then the session stands.

        Raises HandshakeError, or PeerRefused where the peer is authentic but not pinned; either is final.
        """
        number = self._waiting_for
        raw = self._receive(message)
        if number == 1:
            return self._answer(raw)
        assert self._keys is not None
        keys, transcript = self._keys, self._transcript_at_two
        peer = self._trusted(proof.check(raw[5:], proof.INITIATOR, keys.initiator, transcript))
        self._finish(peer, self._hash(raw), initiator=False)
        return None

    def _answer(self, one: bytes) -> bytes:
        self._hash(one)
        try:
            ciphertext, shared = XWingPublicKey(one[5 + RANDOM_BYTES :]).encapsulate()
        except ValueError as error:
            raise HandshakeError(f"message 1: {error}") from None
        clear = HEADS[2] + secrets.token_bytes(RANDOM_BYTES) + ciphertext
        transcript = self._hash(clear)
        keys = self._agree(shared, transcript)
        sealed = proof.make(self._identity, proof.RESPONDER, keys.responder, transcript)
        self._transcript_at_two = self._hash(sealed)
        self._waiting_for = 3
        return clear + sealed
