"""Post-quantum keys, envelopes and channels that carry everything the other two pillars send.

    me = pqc.Identity.create("hospital-a")
    trust = pqc.TrustStore([their_public_identity])
    with pqc.connect(("127.0.0.1", 4433), me, trust, peer="hospital-b") as channel:
        channel.send(b"hello")

Reading order: `kem`, `hybrid`, `sign`, `composite` (thin faces of vetted libraries), `identity`,
`trust` (who I am and whom I trust), `envelope` (files), `tls`, `channel`, `listener`, `aio` (TLS 1.3, exactly
X25519MLKEM768, both ends pinned), `handshake`, `records` (the same without sockets). Command line: `-m pqc`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pqc.catalogue import available as available
    from pqc.dial import connect as connect
    from pqc.errors import ChannelClosed as ChannelClosed
    from pqc.errors import ChannelCut as ChannelCut
    from pqc.errors import ChannelError as ChannelError
    from pqc.errors import PeerRefused as PeerRefused
    from pqc.identity import Identity as Identity
    from pqc.listener import Listener as Listener
    from pqc.public import PublicIdentity as PublicIdentity
    from pqc.trust import TrustStore as TrustStore

_HOME = {
    "available": "catalogue",
    "ChannelClosed": "errors",
    "ChannelCut": "errors",
    "ChannelError": "errors",
    "Identity": "identity",
    "Listener": "listener",
    "PeerRefused": "errors",
    "PublicIdentity": "public",
    "TrustStore": "trust",
    "connect": "dial",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Load a name's module on first use, so that `import pqc` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'pqc' has no attribute {name!r}")
    return getattr(import_module(f"pqc.{_HOME[name]}"), name)
