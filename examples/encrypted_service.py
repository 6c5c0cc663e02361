"""A model in one process, two clients in two others, a post-quantum channel between them.

The server saves its model, loads it in a process of its own and serves it. Each client sees the plan and the
sizes first, then makes keys, and asks with encrypted rows; only it can read its scores. Run it with
`python examples/encrypted_service.py`; the exit status says whether a prediction differs from the clear one.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import he
import pqc
from he.remote import connect
from he.service import Service

Rows = npt.NDArray[np.float64]
CLIENTS = ("ann", "ben")


def trained() -> tuple[Pipeline, Rows]:
    """A classifier and rows that it has not seen."""
    x, y = load_breast_cancer(return_X_y=True)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x[:400], y[:400]), x[400:]


def serve(path: Path, identity: Connection, trusted: list[bytes]) -> None:
    """The server's process: it makes its own identity, tells the public half, and where it listens."""
    me = pqc.Identity.create("server")
    trust = pqc.TrustStore([pqc.PublicIdentity.from_bytes(data) for data in trusted])
    with Service(he.Model.load(path), me, trust) as service:
        identity.send((me.public.to_bytes(), service.address))
        identity.recv()  # until the story is over


def ask(me: pqc.Identity, server: bytes, address: tuple[str, int], rows: Rows) -> Rows:
    """One client: sizes first, then keys, then scores (batch, outputs)."""
    trust = pqc.TrustStore([pqc.PublicIdentity.from_bytes(server)])
    with connect(address, me, trust, peer="server") as remote:
        print(f"{me.name}: {remote.plan!r}\n{me.name}: {remote.sizes}")
        client = he.Client(remote.plan)
        remote.send_keys(client)
        return client.decrypt(remote.predict(client.encrypt(rows)))


def main() -> int:
    """Everybody's part, one after the other; the number of predictions that differ."""
    net, rows = trained()
    model = he.compile(net, samples=rows)
    people = [pqc.Identity.create(name) for name in CLIENTS]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        trusted = [person.public.to_bytes() for person in people]
        process = context.Process(target=serve, args=(path, theirs, trusted))
        process.start()
        server, address = ours.recv()
        halves = np.array_split(rows, len(people))
        scores = [ask(person, server, address, half) for person, half in zip(people, halves, strict=True)]
        ours.send(None)
        process.join()
    wrong = int((model.labels(np.concatenate(scores)) != net.predict(rows)).sum())
    print(f"{len(rows) - wrong} of {len(rows)} encrypted predictions agree with the clear ones")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
