"""A proxy on loopback that passes connections on and keeps every byte that went through."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import Any

import pqc
from pqc import Listener


class RecordingProxy:
    """Listens at `address`, connects on to `target`, and keeps both directions in `recording()`."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._kept: list[bytearray] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._server.getsockname()[:2]
        threading.Thread(target=self._serve, daemon=True).start()

    def recording(self) -> bytes:
        return b"".join(self._kept)

    def _serve(self) -> None:
        while True:
            incoming, _ = self._server.accept()
            outgoing = socket.create_connection(self._target)
            for source, sink in ((incoming, outgoing), (outgoing, incoming)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        # One buffer a direction, so that a value split over two reads is still in one piece.
        kept = bytearray()
        self._kept.append(kept)
        with contextlib.suppress(OSError):  # one end may be gone before the other
            while data := source.recv(1 << 16):
                kept += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def put_listeners_behind_proxies(proxies: list[RecordingProxy]) -> None:
    """From now on every Listener that this process makes stands behind a proxy, kept in `proxies`."""

    class Proxied(Listener):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            proxies.append(RecordingProxy(self.address))
            self.address = proxies[-1].address

    vars(pqc)["Listener"] = Proxied
    if "mpc.party" in sys.modules:  # it has taken the name over; loaded later it takes this one
        vars(sys.modules["mpc.party"])["Listener"] = Proxied
