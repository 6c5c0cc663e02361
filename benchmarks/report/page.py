"""One self-contained HTML page: no network, no fonts, no library; sortable by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from benchmarks import roofline
from benchmarks.report import pictures
from benchmarks.report.numbers import safety, size, smaller_margin, spread, three, time
from benchmarks.report.scaling import curves, over_latency
from benchmarks.results import Duel, Entry, Results
from benchmarks.spread import interval

HERE = Path(__file__).parent
HIDDEN = ("scales_with", "bytes_moved", "multiplies")
Cell = tuple[str, float | None]


def page(results: Results) -> str:
    """The whole page."""
    sections = [
        ("Summary", "summary", _summary(results)),
        ("Beside others", "peers", _peers(results)),
        ("Limits of this machine", "limits", _limits(results)),
        ("Scaling", "scaling", _scaling(results)),
        ("All benchmarks", "all", _entries(results.entries)),
        ("Not measured", "not-measured", _not_measured(results)),
    ]
    links = "".join(f'<a href="#{name}">{title}</a>' for title, name, body in sections if body)
    bodies = "".join(
        f'<section id="{name}"><h2>{title}</h2>{body}</section>' for title, name, body in sections if body
    )
    css, script = ((HERE / name).read_text() for name in ("page.css", "page.js"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>Benchmarks of Latticework</title><style>{css}</style></head><body>"
        f"<h1>Benchmarks of Latticework</h1><nav>{links}</nav>{bodies}<script>{script}</script>"
        "</body></html>\n"
    )


def _text(value: object) -> Cell:
    return escape(str(value)), None


def _number(shown: str, value: float | None) -> Cell:
    return escape(shown), value


def _table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    head = "".join(f'<th scope="col"><button type="button">{escape(name)}</button></th>' for name in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<div class="wide"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    shown, value = cell
    return f"<td>{shown}</td>" if value is None else f'<td class="number" data-value="{value!r}">{shown}</td>'


def _facts(pairs: dict[str, object]) -> str:
    rows = (
        f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in pairs.items() if v not in (None, "", [])
    )
    return f"<dl>{''.join(rows)}</dl>"


def _summary(results: Results) -> str:
    machine, options = results.machine, results.options
    counts = {o: sum(e.outcome == o for e in results.entries) for o in ("passed", "failed", "skipped")}
    lost = [duel.id for duel in results.duels if duel.reason]
    facts: dict[str, object] = {
        "Started": results.started,
        "Options": ", ".join(f"{name} {value}" for name, value in options.items() if value not in ("", None)),
        "Benchmarks": ", ".join(f"{count} {outcome}" for outcome, count in counts.items()),
        "Ratios": f"{sum(bool(d.ratios) for d in results.duels)} measured, {len(lost)} failed",
        "Processor": f"{machine['processor']}, {machine['cores']} cores ({' '.join(machine['flags'])})",
        "Caches": " / ".join(size(each) for each in machine["caches_bytes"]),
        "Memory": size(machine["memory_bytes"]),
        "System": f"{machine['system']}, Python {machine['python']}",
        "Versions": ", ".join(f"{name} {told}" for name, told in machine["versions"].items()),
        "Kernels": " ".join(machine["kernel_paths"]),
        "Commit": machine["commit"],
        "GPU": machine["gpu"],
        "Load at the start": " ".join(map(str, machine["load"])),
        "Variables": " ".join(f"{name}={value}" for name, value in machine["variables"].items()),
    }
    failed = f'<p class="bad">Failed: {escape(", ".join(results.failed))}</p>' if results.failed else ""
    return _facts(facts) + failed


def _peers(results: Results) -> str:
    duels = [duel for duel in results.duels if duel.ratios]
    missing = "".join(
        f"<li>{escape(name)}: {escape(reason)}</li>" for name, reason in results.missing.items()
    )
    named = f"<p>Asked for and not there:</p><ul>{missing}</ul>" if missing else ""
    if not duels:
        return named
    heads = (
        "work", "parameters", "threads", "ours", "peer", "its time", "ratio", "quartiles", "95 % interval",
        "of fastest", "bits ours", "bits peer", "log2(QP) ours", "log2(QP) peer", "smaller margin", "besides",
    )  # fmt: skip
    intro = (
        "<p>Ours and the peer took turns in processes of their own, each timed call right after an untimed "
        "one. The ratio is the median over the pairs of the peer's time divided by ours; "
        "that of the fastest times is what other work on the machine disturbs least. log2(QP) and the "
        "level it keeps by ePrint 2024/463, ternary secret, stand for both; who has the larger modulus at "
        "the same ring degree has the smaller margin.</p>"
    )
    return intro + f"<figure>{pictures.ratios(duels)}</figure>" + _table(heads, map(_duel, duels)) + named


def _duel(duel: Duel) -> list[Cell]:
    low, middle, high = spread(duel.ratios)
    left, right = interval(duel.ratios)
    ours, peer = spread(duel.ours.samples_s)[1], spread(duel.peer.samples_s)[1]
    sides = (("ours", duel.ours), ("peer", duel.peer))
    facts = "; ".join(f"{name} {_extra(side.facts)}" for name, side in sides if side.facts)
    return [
        _text(duel.work), _text(duel.case), _number(str(duel.threads), duel.threads),
        _number(time(ours), ours), _text(f"{duel.peer.name} {duel.peer.version}"), _number(time(peer), peer),
        _number(f"{middle:.2f}", middle), _text(f"{low:.2f} to {high:.2f}"),
        _text(f"{left:.2f} to {right:.2f}"),
        _number(f"{duel.best:.2f}", duel.best),
        _bits(duel.ours.bits), _bits(duel.peer.bits), _text(safety(duel.ours)), _text(safety(duel.peer)),
        _text(smaller_margin(duel)), _text(facts),
    ]  # fmt: skip


def _bits(bits: float | None) -> Cell:
    return _text("exact") if bits is None else _number(f"{bits:.1f}", bits)


def _limits(results: Results) -> str:
    points = [p for entry in results.entries if (p := roofline.place(entry, results.limits))]
    if not points:
        return ""
    speeds = results.limits["bandwidth"]
    intro = (
        f"<p>One core copies {speeds[max(speeds, key=int)] / 1e9:.0f} GB a second in memory, "
        f"{speeds[min(speeds, key=int)] / 1e9:.0f} in its cache, and makes "
        f"{results.limits['multiplies_per_s'] / 1e9:.1f} thousand million products a second. "
        "A kernel's limit is the larger of the times that its bytes and its products take at least; above "
        "100 % it reuses a cache nearer than the one measured.</p>"
    )
    heads = ("kernel", "fastest", "bytes at least", "products", "limit", "reached")
    rows = (
        [
            _text(p.id), _number(time(p.seconds), p.seconds), _number(size(p.bytes_moved), p.bytes_moved),
            _number(f"{p.multiplies:,}", p.multiplies), _text(p.bound),
            _number(f"{100 * p.fraction:.0f} %", p.fraction),
        ]
        for p in sorted(points, key=lambda p: -p.fraction)
    )  # fmt: skip
    return intro + f"<figure>{pictures.rooflines(points, results.limits)}</figure>" + _table(heads, rows)


def _scaling(results: Results) -> str:
    drawable = curves(results.entries) | over_latency(results.entries, results.duels)
    drawn = (
        pictures.curve(name.partition("::")[2].removeprefix("test_").replace("_", " "), x, lines)
        for (name, x), lines in drawable.items()
    )
    body = "".join(f"<figure>{each}</figure>" for each in drawn)
    return f'<div class="curves">{body}</div>' if body else ""


def _entries(entries: Sequence[Entry]) -> str:
    heads = ("benchmark", "median", "95 % interval", "fastest", "samples", "peak memory", "besides")
    return _table(heads, (_entry(entry) for entry in entries if entry.samples_s))


def _entry(entry: Entry) -> list[Cell]:
    low, high = interval(entry.samples_s)
    return [
        _text(entry.id), _number(time(entry.median_s), entry.median_s), _text(f"{time(low)} to {time(high)}"),
        _number(time(min(entry.samples_s)), min(entry.samples_s)),
        _number(str(len(entry.samples_s)), len(entry.samples_s)),
        _number(size(entry.peak_bytes), entry.peak_bytes), _text(_extra(entry.extra)),
    ]  # fmt: skip


def _extra(extra: dict[str, Any]) -> str:
    shown = {k: three(v) if isinstance(v, float) else v for k, v in extra.items() if k not in HIDDEN}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())


def _not_measured(results: Results) -> str:
    rows = [
        [_text(e.id), _text(e.outcome), _text(e.reason)] for e in results.entries if e.outcome != "passed"
    ]
    rows += [[_text(d.id), _text("failed"), _text(d.reason)] for d in results.duels if d.reason]
    return _table(("benchmark", "outcome", "why"), rows) if rows else ""
