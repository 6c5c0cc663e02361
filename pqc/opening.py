"""How a connection becomes a channel: the TLS handshake, then one preface from each end.

A preface says which protocol is spoken and how long a message may be that its sender takes. The client
waits for the server's, so that it learns here, and not at its first message, whether it was accepted.
"""

import struct

from pqc.errors import ChannelClosed, ChannelCut, PeerRefused
from pqc.tls import Session

PREFACE = struct.Struct(">4sQ")
MAGIC = b"LWC1"


class Opening:
    """The first bytes of a connection, fed from outside."""

    def __init__(self, session: Session, max_message_bytes: int) -> None:
        self.session = session
        self.peer_takes_bytes = 0
        self._preface = PREFACE.pack(MAGIC, max_message_bytes)
        self._shaken = False
        self._theirs = b""

    def advance(self) -> bool:
        """Go on with what was fed; True when the channel is open. Send `session.outgoing()` after each call.

        Raises PeerRefused where one of the two ends will not have the other.
        """
        if not self._shaken:
            if not self.session.handshake():
                return False
            self._shaken = True
            self.session.write(self._preface)
        return self._read_preface()

    def _read_preface(self) -> bool:
        try:
            self._theirs += self.session.read(PREFACE.size - len(self._theirs))
        except (ChannelClosed, ChannelCut) as error:
            raise PeerRefused(f"{self.session.peer} refused this identity: {error}") from None
        if len(self._theirs) < PREFACE.size:
            return False
        magic, self.peer_takes_bytes = PREFACE.unpack(self._theirs)
        if magic != MAGIC:
            raise PeerRefused(f"protocol: expected {MAGIC!r} from {self.session.peer}, got {magic!r}")
        return True
