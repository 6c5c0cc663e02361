"""Two hospitals train one model, a clinic's patients are classified by it, and nobody sees anybody's data.

1. Hospital A and hospital B hold different measurements of the same patients (B also the diagnoses). They
   train a logistic regression on shares, with a helper that deals randomness and sees no data.
2. A server holds the trained model. The clinic encrypts its patients under its own key; the server scores
   ciphertexts; only the clinic can read the scores.

Every organisation is a process of its own with its own ML-DSA-65 identity, and all that travels goes through
TLS 1.3 with X25519MLKEM768. Run it with `make demo`; the exit status is non-zero if anything disagrees.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

import he
import mpc
import pqc
from mpc.processes import Meeting, Task, run_processes
from mpc.released import LinearModel

Array = npt.NDArray[np.float64]

# Each block stands for the data base of one organisation; only its own process asks for it.
COLUMNS = {"hospital-a": slice(0, 15), "hospital-b": slice(15, 30)}
SAW = {
    "hospital-a": "its 15 columns, random shares, the model, B's means and deviations",
    "hospital-b": "its 15 columns, the diagnoses, random shares, the model, A's means and deviations",
    "dealer": "which operations on which shapes; no data, no model",
    "clinic": "its patients and their scores; the shape of the model, not its weights",
    "server": "the model, evaluation keys and ciphertexts; no patient, no score",
}
POINT = 0.01


def patients() -> tuple[Array, Array, Array, Array]:
    """Real patients in a fixed order: training table and labels, test table and labels (1: malignant)."""
    from sklearn.datasets import load_breast_cancer  # takes a second, and not every organisation has patients

    data = load_breast_cancer()
    order = np.random.default_rng(2026).permutation(len(data.target))
    x, y = data.data[order], 1.0 - data.target[order].reshape(-1, 1)
    return x[:400], y[:400], x[400:], y[400:]


@dataclass(frozen=True)
class Trained:
    """What one hospital knows after the training."""

    model: LinearModel
    scaling: mpc.Scaling
    cost: mpc.Cost


def training() -> mpc.LogisticRegression:
    """The same at both hospitals, and in the clear."""
    return mpc.LogisticRegression(steps=40, learning_rate=0.5, l2=0.01)


def hospital(party: mpc.Party) -> Trained:
    """One hospital's program; both run it, each with its own table."""
    table, labels, _, _ = patients()
    own = mpc.check_table(table[:, COLUMNS[party.name]], columns=15)
    rows = len(own)
    scaling = mpc.Scaling.of(own)
    x = mpc.join_columns(party, scaling.apply(own), dict.fromkeys(COLUMNS, 15), rows)
    y = party.secret(labels if party.name == "hospital-b" else None, owner="hospital-b", size=(rows, 1))
    model = training().fit(x, y).reveal(party, to=party.names)
    assert model is not None
    return Trained(model, scaling, party.cost())


def train_in_the_clear(table: Array, labels: Array) -> LinearModel:
    """The same steps on the pooled data, as nobody is allowed to do it."""
    import torch  # only the hospitals need it otherwise, and they load it by themselves

    x = torch.from_numpy(mpc.Scaling.of(table).apply(table))
    return training().fit(x, torch.from_numpy(labels)).in_the_clear()


@dataclass(frozen=True)
class Served:
    """What the clinic has at the end: scores, and what went over the wire."""

    scores: Array
    group: str
    bytes_sent: int
    rounds: int
    seconds_s: float


def meet(meeting: Meeting, name: str) -> tuple[pqc.Identity, pqc.TrustStore]:
    """Make an identity and learn the public ones of the others."""
    identity = pqc.Identity.create(name)
    publics = [pqc.PublicIdentity.from_bytes(data) for data in meeting.exchange(identity.public.to_bytes())]
    return identity, pqc.TrustStore(publics)


def server(meeting: Meeting, weights: Array, bias: Array) -> int:
    """Hold the model; send its plan, take evaluation keys and a ciphertext, send the encrypted scores."""
    identity, trust = meet(meeting, "server")
    model = he.compile([he.Dense(weights, bias)], security=128)
    with pqc.Listener(identity, trust) as listener:
        meeting.exchange(listener.address)
        with listener.accept(timeout_s=60) as channel:
            channel.send(model.plan.to_bytes())
            service = he.Server(model, channel.receive(timeout_s=60))
            channel.send(service.predict(channel.receive(timeout_s=60)))
            channel.receive(timeout_s=60)
            return channel.bytes_sent


def clinic(meeting: Meeting) -> Served:
    """Encrypt the test patients, have them scored, decrypt; the secret key never leaves this process."""
    identity, trust = meet(meeting, "clinic")
    address = meeting.exchange(None)[0]
    _, _, table, _ = patients()
    with pqc.connect(address, identity, trust, peer="server", timeout_s=60) as channel:
        began = time.perf_counter()
        client = he.Client(channel.receive(timeout_s=60))
        channel.send(client.evaluation_keys())
        channel.send(client.encrypt(mpc.check_table(table, columns=30)))
        scores = client.decrypt(channel.receive(timeout_s=60))
        channel.send(b"done")
        seconds = time.perf_counter() - began
        return Served(scores, channel.group, channel.bytes_sent, 2, seconds)


def fold(trained: list[Trained]) -> tuple[Array, Array]:
    """Weights (1, 30) and bias (1,) for raw measurements: the scalings become part of the model."""
    mean = np.concatenate([one.scaling.mean for one in trained])
    deviation = np.concatenate([one.scaling.deviation for one in trained])
    weights = trained[0].model.weights.T / deviation
    return weights, trained[0].model.bias - weights @ mean


def accuracy(scores: Array, labels: Array) -> float:
    return float(np.mean((scores.reshape(-1) > 0) == (labels.reshape(-1) > 0.5)))


def main() -> int:
    console = Console()
    table, labels, test, test_labels = patients()
    console.print(f"{len(table)} training patients in two hospitals, {len(test)} test patients in a clinic")
    began = time.perf_counter()

    with console.status("the hospitals train"):
        trained: list[Trained] = mpc.run_local(hospital, parties=2, names=list(COLUMNS), timeout_s=80)
    weights, bias = fold(trained)
    pooled = train_in_the_clear(table, labels).decision_function(mpc.Scaling.of(table).apply(test))

    with console.status("the server scores encrypted patients"):
        tasks = [Task("server", server, (weights, bias)), Task("clinic", clinic)]
        server_bytes, served = run_processes(tasks, timeout_s=80)
    encrypted, clear = served.scores.reshape(-1), test @ weights[0] + bias

    show_predictions(console, encrypted, clear, test_labels)
    show_steps(console, trained, served, server_bytes)
    console.print(f"{time.perf_counter() - began:.1f} s in all, the start of five processes included")
    return verdict(console, accuracy(clear, test_labels), accuracy(pooled, test_labels), encrypted, clear)


def show_predictions(console: Console, encrypted: Array, clear: Array, labels: Array) -> None:
    table = Table(title="Clinic's patients: scores computed on ciphertexts and in the clear (first eight)")
    for heading in ("patient", "encrypted score", "clear score", "difference", "prediction", "diagnosis"):
        table.add_column(heading, justify="right")
    for patient in range(8):
        table.add_row(
            str(patient),
            f"{encrypted[patient]:.6f}",
            f"{clear[patient]:.6f}",
            f"{abs(encrypted[patient] - clear[patient]):.1e}",
            "malignant" if encrypted[patient] > 0 else "benign",
            "malignant" if labels[patient] > 0.5 else "benign",
        )
    console.print(table)


def show_steps(console: Console, trained: list[Trained], served: Served, server_bytes: int) -> None:
    a, b = trained[0].cost, trained[1].cost
    rows = [
        ("training", "hospital-a", a.seconds_s, a.rounds, a.bytes_sent, SAW["hospital-a"]),
        ("", "hospital-b", b.seconds_s, b.rounds, b.bytes_sent, SAW["hospital-b"]),
        ("", "dealer", a.seconds_s, a.dealer_rounds, a.dealer_bytes_received, SAW["dealer"]),
        ("inference", "clinic", served.seconds_s, served.rounds, served.bytes_sent, SAW["clinic"]),
        ("", "server", served.seconds_s, served.rounds, server_bytes, SAW["server"]),
    ]
    table = Table(title=f"What it cost, and what each saw (all channels: TLS 1.3, {served.group}, ML-DSA-65)")
    for heading in ("step", "organisation", "time", "rounds", "bytes sent", "saw"):
        table.add_column(heading, justify="left" if heading in ("step", "organisation", "saw") else "right")
    for step, name, seconds, rounds, sent, saw in rows:
        table.add_row(step, name, f"{seconds:.1f} s", str(rounds), f"{sent:,}", saw)
    console.print(table)


def verdict(console: Console, secure: float, pooled: float, encrypted: Array, clear: Array) -> int:
    """0 if secure and clear training agree within a point and every encrypted prediction is the clear one."""
    trained_alike = abs(secure - pooled) <= POINT
    agreeing = int(np.sum((encrypted > 0) == (clear > 0)))
    console.print(
        f"Accuracy on the clinic's patients: trained on shares {secure:.1%}, in the clear {pooled:.1%}"
    )
    console.print(f"Encrypted and clear predictions agree for {agreeing} of {len(clear)} patients")
    if trained_alike and agreeing == len(clear):
        return 0
    console.print("[bold red]The computations disagree.[/bold red]")
    return 1


if __name__ == "__main__":
    sys.exit(main())
