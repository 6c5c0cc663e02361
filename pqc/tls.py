"""One end of a TLS 1.3 connection without a socket: bytes from the network in, bytes for it out.

Exactly one key exchange is accepted, X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem), and both ends prove a
pinned ML-DSA-65 identity. Each check is made before this end's answer leaves it, so a refused peer never
sees this end's certificate under a weaker exchange. Not thread safe: whoever shares one holds a lock.
"""

import warnings
from weakref import WeakKeyDictionary

from OpenSSL import SSL, crypto

from pqc import certificate
from pqc.checks import Buffer
from pqc.errors import ChannelClosed, ChannelCut, PeerRefused
from pqc.identity import Identity
from pqc.trust import TrustStore

GROUP = "X25519MLKEM768"
RECORD_BYTES = 1 << 14  # RFC 9846 section 5.1: the most that one record carries
HEADER_BYTES = 5  # of a record: type, version, and its length in two bytes
WIRE_BYTES = 5 << 14  # how much is moved between socket and TLS at once: a piece of 64 KiB, encrypted
NO_AUTO_CHAIN = 0x08  # SSL_MODE_NO_AUTO_CHAIN: send the certificate and nothing else
PARTIAL_WRITE = 0x01  # SSL_MODE_ENABLE_PARTIAL_WRITE, which pyOpenSSL sets: memory takes everything at once


_contexts: "WeakKeyDictionary[Identity, SSL.Context]" = WeakKeyDictionary()


def context(identity: Identity) -> SSL.Context:
    """Return what all connections of an identity share; made once, as it takes a third of a millisecond."""
    made = _contexts.get(identity)
    if made is None:
        made = _contexts[identity] = new_context(identity)
    return made


def new_context(identity: Identity) -> SSL.Context:
    """Make a context of TLS 1.3 without resumption, in which both ends must show a certificate."""
    made = SSL.Context(SSL.TLS_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    made.set_options(SSL.OP_NO_TICKET)
    made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    made.set_mode(NO_AUTO_CHAIN)
    made.clear_mode(PARTIAL_WRITE)
    made.use_certificate(identity.certificate)
    with warnings.catch_warnings():
        # pyOpenSSL calls this way outdated, but the way it recommends refuses ML-DSA keys.
        warnings.simplefilter("ignore", DeprecationWarning)
        made.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, identity.private_key_pem()))
    made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
    return made


class _Gate:
    """Decides about the peer's certificate while OpenSSL is in the middle of the handshake."""

    def __init__(self, trust: TrustStore, expected: str | None) -> None:
        self._trust, self._expected = trust, expected
        self.peer: str | None = None
        self.refusal: PeerRefused | None = None

    def admit(self, presented: crypto.X509, depth: int) -> bool:
        """Decide once: OpenSSL asks about each certificate twice, first for being self-signed."""
        if self.peer is not None and depth == 0:
            return self.refusal is None
        try:
            if depth != 0:
                raise PeerRefused(f"expected one self-signed certificate, got a chain of {depth + 1} or more")
            claimed = certificate.read(presented.to_cryptography())
            self.peer = self._trust.check(claimed, self._expected)
        except PeerRefused as refusal:
            self.refusal = refusal
        except Exception as error:  # the certificate is a stranger's: whatever it breaks is a refusal
            self.refusal = PeerRefused(f"{type(error).__name__}: {error}")
        return self.refusal is None


def _verify(connection: SSL.Connection, presented: crypto.X509, error: int, depth: int, ok: int) -> bool:
    # A raise here would land in a list that all connections of the context share: the gate keeps it instead.
    gate = connection.get_app_data()
    assert isinstance(gate, _Gate)
    return gate.admit(presented, depth)


class Session:
    """The state of one connection. `hungry` says that nothing more can be read before something is fed."""

    def __init__(
        self, made: SSL.Context, trust: TrustStore, *, server: bool, expected: str | None = None
    ) -> None:
        self._gate = _Gate(trust, expected)
        self._ssl = SSL.Connection(made, None)
        self._ssl.set_app_data(self._gate)
        self.hungry = True
        self._one_record = False  # the last thing fed was exactly one record, and nothing was left before
        (self._ssl.set_accept_state if server else self._ssl.set_connect_state)()

    @property
    def peer(self) -> str:
        """The pinned name of the peer, known when the handshake is done."""
        if self._gate.peer is None:
            raise PeerRefused("expected a certificate from the peer, got none")
        return self._gate.peer

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is done. Send `outgoing()` after every call.

        Raises PeerRefused for a peer that offers less or is not pinned; `outgoing()` then is the alert.
        """
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            self._check_group(required=False)
            return False
        except SSL.Error as error:
            raise self._gate.refusal or PeerRefused(f"no TLS 1.3 with {GROUP}: {reason(error)}") from None
        self._check_group(required=True)
        return bool(self.peer)

    def _check_group(self, *, required: bool) -> None:
        group = self._ssl.get_group_name()
        if group != GROUP and (required or group is not None):
            self.outgoing()  # the answer under the wrong key exchange is not to be sent
            raise PeerRefused(f"key exchange: expected {GROUP}, the peer offered {group}")

    def feed(self, wire: Buffer) -> None:
        """Take bytes from the network."""
        whole = len(wire) > HEADER_BYTES and len(wire) == HEADER_BYTES + (wire[3] << 8) + wire[4]
        self._one_record = self.hungry and whole
        self.hungry = False
        self._ssl.bio_write(wire)

    def outgoing(self) -> bytes:
        """Return the bytes for the network, all that there are."""
        pieces = b""
        try:
            while len(piece := self._ssl.bio_read(WIRE_BYTES)) == WIRE_BYTES:
                pieces += piece
        except SSL.WantReadError:
            return pieces
        return pieces + piece

    def write(self, plain: Buffer) -> None:
        """Encrypt; the result is in `outgoing()`. Raises ChannelCut on a broken connection."""
        try:
            self._ssl.send(plain)
        except SSL.Error as error:
            raise self._broken(error) from None

    def read(self, size: int) -> bytes:
        """Return up to `size` decrypted bytes, b"" when more must be fed first.

        Raises ChannelClosed at the peer's authenticated end, ChannelCut when a record is not authentic.
        """
        try:
            plain = self._ssl.recv(size)
        except SSL.WantReadError:
            self.hungry = True
            return b""
        except SSL.ZeroReturnError:
            raise ChannelClosed(f"{self._gate.peer} closed the channel") from None
        except SSL.Error as error:
            raise self._broken(error) from None
        self.hungry = self._one_record and len(plain) < size
        return plain

    def read_into(self, target: memoryview) -> int:
        """Like `read`, into `target`; 0 when more must be fed first."""
        try:
            return self._ssl.recv_into(target, RECORD_BYTES)
        except SSL.WantReadError:
            self.hungry = True
            return 0
        except SSL.ZeroReturnError:
            raise ChannelClosed(f"{self._gate.peer} closed the channel") from None
        except SSL.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: SSL.Error) -> ChannelCut:
        return ChannelCut(f"the channel with {self._gate.peer} broke: {reason(error)}")

    def end(self) -> None:
        """Write the authenticated end (close_notify)."""
        try:
            self._ssl.shutdown()
        except SSL.Error:
            return  # a broken connection has no end to write

    def export(self, label: str, length: int) -> bytes:
        """Return bytes that only the two ends of this connection know (RFC 9846 section 7.5)."""
        return self._ssl.export_keying_material(f"EXPORTER-latticework-{label}".encode(), length, b"")


def reason(error: SSL.Error) -> str:
    """Say OpenSSL's reason in words."""
    first = error.args[0] if error.args else ""
    if isinstance(first, list):
        return "; ".join(entry[-1] for entry in first) or "broken"
    return str(error) or type(error).__name__
