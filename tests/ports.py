"""Ports of this machine that nobody is given by chance before the test that asked has used them."""

import os
import secrets
import socket

# Below the range from which systems take the ports of outgoing connections and of listeners that name none.
FIRST, LAST = 20_000, 32_767
# Test processes that run side by side take ports of their own remainder.
SIDE_BY_SIDE = 64


def free_port() -> int:
    own = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SIDE_BY_SIDE
    while True:
        port = FIRST + secrets.randbelow((LAST - FIRST) // SIDE_BY_SIDE) * SIDE_BY_SIDE + own
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
