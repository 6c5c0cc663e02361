"""The tables of `benchmarks.steps` in Markdown: costs beside their limits, a slow network, accuracy."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from benchmarks import machine
from benchmarks.operations import FUNCTIONS
from benchmarks.steps import PLAIN, Accuracy, Row, Side, Tables
from mpc.cost import Cost, Network

# 40 ms one way and 100 Mbit/s each way.
SLOW = Network(0.040, 100e6 / 8)
# Of the steps of training over the slow network.
FASTER_THERE = {"LR": 5.0, "LR by sigmoid and BCELoss": 5.0, "MLP 784-128-128-10": 5.0}
HEAD = """\
# Rounds, bytes and accuracy of the functions and training steps on shares

Made by `python -m benchmarks.steps --size {size} --out FILE` on {date}:
{cores} cores of {processor}, load {load}.
Two parties and, for ours, a dealer that sees no data, encrypted channels, all on this machine; plain CrypTen
{crypten} in turns with it in the same run. **CrypTen's dealer is insecure**: party 0 itself, which knows
every mask, so it has no offline bytes; its traffic is in the clear.

Online bytes are those sent and received by one party, by either side's own counter, without what TLS adds and
the 16 that frame the messages of a round; offline bytes are those between the dealer and both parties.
Milliseconds are medians of a whole call: of {count} entries, rows or outputs at once, or of one step.
Every result was checked against the function or torch's step in the clear.
"""
THERE = """\
From the counts above (`mpc.cost`): the seconds here, a latency for every round, and the bytes one way. Plain
CrypTen has nothing offline; what our dealer sends the first party is carried by the same line in the last two
columns.
"""
ACCURACY = """\
The largest error over the range: in units of 2^-16, the last place, where the function is at most 1 in
absolute value, and as a part of the function elsewhere. CrypTen's approximations are made for a part of these
ranges, outside of which they have no meaning.
"""
# What the rounds of a step are, if the tree compares; by keys a test is 1 instead of 4, but a division and a
# product with its result take rounds of their own.
ROUNDS = {
    "LR": "1 for the product, 5 for the sigmoid, 1 for (p - y) / n, 1 for the gradients, 1 for the update",
    "MLP": (
        "1 for each product, 4 for each ReLU, 15 for the softmax, 1 for (p - y) / n,\n"
        "  1 for the gradients of each layer and of each ReLU, 1 for the update"
    ),
    "LeNet": (
        "1 for each product, 9 for each pool, 4 for each ReLU, 15 for the softmax,\n"
        "  1 for (p - y) / n, 1 for the gradients of each layer and ReLU, 2 of each pool, 1 for the update"
    ),
}


def markdown(tables: Tables) -> str:
    """All tables as one document."""
    about = machine.describe()
    parts = [
        HEAD.format(
            size=tables.size,
            date=datetime.datetime.now(tz=datetime.UTC).date(),
            cores=about["cores"],
            processor=about["processor"],
            load=_load(about["load"], about["cores"]),
            crypten=about["versions"].get("crypten", "of unknown version"),
            count=tables.count,
        ),
        "## Costs\n",
        _costs(tables),
        _spu(tables),
        "## Rows that are missed\n",
        _misses(tables),
        "## At 40 ms and 100 Mbit/s, computed\n",
        THERE,
        _network(tables),
    ]
    if tables.accuracy:
        parts += ["## What the functions on shares are off by\n", ACCURACY, _accuracy(tables)]
    return "\n".join(parts)


def _load(loads: Sequence[float], cores: int) -> str:
    if not loads:
        return "unknown"
    busy = "; other work ran on it, so that counts are exact and seconds rough"
    # This run alone keeps the cores busy, and at times one or two processes more than there are cores.
    return f"{loads[0]:.0f}{busy if loads[0] > cores + 2 else ''}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _octets(count: float) -> str:
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e4, "kB")):
        if count >= size:
            return f"{count / (1e3 if unit == 'kB' else size):.3g} {unit}"
    return f"{count:,.5g} B"


def _per(tables: Tables, row: Row) -> int:
    return 1 if row.is_course else tables.count


def _ms(side: Side) -> str:
    return f"{side.cost.seconds_s * 1e3:.4g}"


def misses(tables: Tables, row: Row) -> list[str]:
    """What of a row's limits is not kept: nothing, or each with what it is and what was asked for."""
    sides = tables.rows[row]
    own, plain = sides[row.method], sides[PLAIN]
    octets, found = framed(tables, row), []
    if own.cost.rounds > row.rounds:
        found.append(f"{own.cost.rounds} rounds, limit {row.rounds}")
    if octets > row.octets:
        found.append(f"{_octets(octets)}, limit {_octets(row.octets)}")
    ratio = plain.cost.seconds_s / own.cost.seconds_s
    if ratio < row.faster:
        found.append(f"{ratio:.1f} times CrypTen's speed here, limit {row.faster:g}")
    if row.name.startswith("LR") and isinstance(tables.spu_s, float) and own.cost.seconds_s > tables.spu_s:
        found.append(f"{_ms(own)} ms here, SPU's {tables.spu_s * 1e3:.4g} ms")
    needed = FASTER_THERE.get(row.name, 0.0)
    there = plain.cost.seconds_on(SLOW) / own.cost.seconds_on(SLOW)
    if there < needed:
        found.append(f"{there:.1f} times CrypTen's speed at 40 ms with the dealer's bytes, limit {needed:g}")
    return found


def framed(tables: Tables, row: Row) -> float:
    """Bytes an entry or step, less the 16 of the lengths of a round's two messages, shared by all entries."""
    own = tables.rows[row][row.method]
    frames = 0 if row.is_course else 16 * own.cost.rounds
    return (own.octets - frames) / _per(tables, row)


def _costs(tables: Tables) -> str:
    lines = []
    for row, sides in tables.rows.items():
        own, plain, per = sides[row.method], sides[PLAIN], _per(tables, row)
        faster = f", {row.faster:g} times as fast" if row.faster else ""
        lines.append(
            [
                row.label,
                f"{plain.cost.rounds} / {_octets(plain.octets / per)}",
                _ms(plain),
                f"{own.cost.rounds} / {_octets(framed(tables, row))}",
                f"{row.rounds} / {_octets(row.octets)}{faster}",
                _octets(own.offline / per),
                _ms(own),
                "no" if misses(tables, row) else "yes",
            ]
        )
    counts = "rounds / bytes"
    head = ("work", f"CrypTen: {counts}", "ms", f"ours: {counts}", "at most", "offline", "ms", "met")
    return _table(head, lines)


def _spu(tables: Tables) -> str:
    if isinstance(tables.spu_s, str):
        return f"SPU SEMI2K's step of logistic regression: not measured, {tables.spu_s}.\n"
    return (
        f"SPU SEMI2K's step of the same logistic regression in the same run: {tables.spu_s * 1e3:.4g} ms.\n"
        "Its parties are threads of one process without channels, with a trusted first party.\n"
    )


def _misses(tables: Tables) -> str:
    found = {row: missed for row in tables.rows if (missed := misses(tables, row))}
    lines = [
        f"- **{row.label}**: {'; '.join(missed)}.\n  {_why(tables, row)}" for row, missed in found.items()
    ]
    return "\n".join(lines or ["None."]) + "\n"


def _why(tables: Tables, row: Row) -> str:
    """The counts behind it, and what of them takes how long on the slow network."""
    cost = tables.rows[row][row.method].cost
    waiting = (cost.rounds + 2 * cost.dealer_rounds) * SLOW.latency_s
    online_s, dealt_s = (
        octets / SLOW.bandwidth_bytes_s for octets in (cost.bytes_sent, cost.dealer_bytes_received)
    )
    rounds = next((text for name, text in ROUNDS.items() if row.name.startswith(name)), "")
    return "\n  ".join(
        [
            *([f"Rounds by the tree: {rounds}."] if rounds else []),
            f"One way {_octets(cost.bytes_sent)} online and {_octets(cost.dealer_bytes_received)} from the",
            f"dealer, {cost.rounds} rounds, {cost.dealer_rounds} requests that the dealer had not foreseen.",
            f"At 40 ms and 100 Mbit/s {waiting:.2f} s of latency, {online_s:.2f} s for bytes online,",
            f"{dealt_s:.2f} s for the dealer's, {cost.seconds_s:.2f} s of computing here.",
        ]
    )


def _network(tables: Tables) -> str:
    lines = []
    for row, sides in tables.rows.items():
        if not row.is_course:
            continue
        own, plain = sides[row.method].cost, sides[PLAIN].cost.seconds_on(SLOW)
        online = Cost(own.rounds, own.bytes_sent, seconds_s=own.seconds_s).seconds_on(SLOW)
        whole = own.seconds_on(SLOW)
        cells = [plain, online, plain / online, whole, plain / whole]
        lines.append([row.label, *(f"{cell:.2f}" for cell in cells)])
    return _table(("work", "CrypTen s", "ours s, online", "ratio", "ours s, with offline", "ratio"), lines)


def _accuracy(tables: Tables) -> str:
    lines = [
        [name, FUNCTIONS[name].span, *_errors(own), *_errors(plain)]
        for name, (own, plain) in tables.accuracy.items()
    ]
    head = ("function", "range", "ours: units", "part", "CrypTen: units", "part")
    return _table(head, lines)


def _errors(accuracy: Accuracy | None) -> list[str]:
    if accuracy is None:
        return ["has none", ""]
    return [f"{accuracy.units:.3g}", "" if accuracy.part is None else f"{accuracy.part:.2g}"]
