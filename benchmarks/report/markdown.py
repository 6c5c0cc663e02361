"""The README's table of ratios, from a stored result by command."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report.numbers import smaller_margin, spread, time
from benchmarks.results import Duel, Results

HEAD = (
    "| work | parameters | ours | peer | its time | ratio of fastest | of medians (quartiles) "
    "| bits, ours / peer |\n"
    "|---|---|---|---|---|---|---|---|"
)


BEGIN, END = "<!-- ratios of ", "<!-- end of ratios -->"


def into(text: str, results: Results) -> str:
    """`text` with the table between its two marker comments, of the works that the first one names.

    The markers are the lines `<!-- ratios of WORK,WORK -->` and `<!-- end of ratios -->`; ValueError if they
    are not there once each, in this order, or name a work of which the results have no ratio.
    """
    lines = text.splitlines()
    begins = [i for i, line in enumerate(lines) if line.startswith(BEGIN)]
    ends = [i for i, line in enumerate(lines) if line == END]
    if len(begins) != 1 or len(ends) != 1 or ends < begins:
        raise ValueError(f"expected one line {BEGIN}WORK,WORK --> and after it one line {END}")
    works = lines[begins[0]].removeprefix(BEGIN).removesuffix("-->").strip().split(",")
    if unknown := sorted(set(works) - {duel.work for duel in results.duels if duel.ratios}):
        raise ValueError(f"the results have no ratio of {unknown[0]!r}, which the first marker names")
    made = ["", *table(results, works).splitlines(), ""]
    return "\n".join([*lines[: begins[0] + 1], *made, *lines[ends[0] :], ""])


def table(results: Results, works: Sequence[str] | None = None) -> str:
    """Markdown; works: which of them, None for all."""
    rows = [row(duel) for duel in results.duels if duel.ratios and (works is None or duel.work in works)]
    machine = results.machine
    source = (
        f"Measured on {machine['processor']}, {machine['cores']} cores, {'/'.join(machine['flags'])}, "
        f"{results.started[:10]}, commit {machine['commit']}, load {machine['load'][0]:.0f}; "
        "samples in turns, medians. "
        "\\* its larger modulus leaves the peer a smaller security margin."
    )
    return "\n".join([HEAD, *rows, "", source, ""])


def row(duel: Duel) -> str:
    """One line."""
    low, middle, high = spread(duel.ratios)
    mark = "\\*" if smaller_margin(duel) == "peer" else ""
    cells = [
        duel.work,
        f"{duel.case}, {duel.threads} thread" + ("s" if duel.threads > 1 else ""),
        time(spread(duel.ours.samples_s)[1]),
        f"{duel.peer.name} {duel.peer.version}{mark}",
        time(spread(duel.peer.samples_s)[1]),
        f"**{duel.best:.1f}**",
        f"{middle:.1f} ({low:.1f} to {high:.1f})",
        f"{_bits(duel.ours.bits)} / {_bits(duel.peer.bits)}",
    ]
    return "| " + " | ".join(cells) + " |"


def _bits(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f}"
