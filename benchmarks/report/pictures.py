"""Plots as SVG that takes its colours from the page, so that light, dark and print need one picture.

Matplotlib draws with stand-in colours; they are replaced by the page's variables in the text of the SVG.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from benchmarks.report.numbers import spread
from benchmarks.results import Duel
from benchmarks.roofline import Point

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = [f"#0{i}0{i}04" for i in range(1, 7)]
COLOURS = {INK: "ink", MUTED: "muted", GRID: "grid"} | {c: f"series{i + 1}" for i, c in enumerate(SERIES)}
MARKS = "osD^vP"
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "latticework", "font.size": 10}


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.tick_params(colors=INK, which="both")
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_color(MUTED)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    out = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for colour, name in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


def ratios(duels: Sequence[Duel]) -> str:
    """How many times longer the peers take: median and quartiles of the pairs, one bar a duel."""
    figure, axes = _figure(9, 1 + 0.27 * len(duels))
    names = list(dict.fromkeys(duel.peer.name for duel in duels))
    for row, duel in enumerate(reversed(duels)):
        low, middle, high = spread(duel.ratios)
        colour = SERIES[names.index(duel.peer.name) % len(SERIES)]
        axes.barh(row, middle - 1, left=1, height=0.62, color=colour)
        axes.plot([low, high], [row, row], color=INK, linewidth=1.2)
        axes.annotate(f"{middle:.1f}", (max(high, 1.0), row), xytext=(4, 0), textcoords="offset points",
                      va="center", color=INK, fontsize=8)  # fmt: skip
    labels = [f"{duel.work} {duel.case}  {duel.peer.name}" for duel in reversed(duels)]
    axes.set_yticks(range(len(duels)), labels, fontsize=8, color=INK)
    axes.set_xscale("log")
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xlabel("the peer's time / ours (right of 1: ours is faster)", color=INK)
    axes.margins(x=0.08, y=0.01)
    return _svg(figure, "Ratios of the peers' times to ours")


def rooflines(points: Sequence[Point], limits: dict[str, Any]) -> str:
    """Products a second over products a byte, below the roof of memory and the roof of the fastest cache."""
    figure, axes = _figure(8, 4.6)
    intensities = [point.intensity for point in points if point.multiplies]
    low, high = min(intensities) / 2, max(intensities) * 2
    speeds = sorted(limits["bandwidth"].items(), key=lambda item: int(item[0]))
    peak = limits["multiplies_per_s"]
    for (_, speed), label, style in ((speeds[0], "cache", "--"), (speeds[-1], "memory", "-")):
        knee = peak / speed
        xs = [low, *([knee] if low < knee < high else []), high]
        axes.plot(xs, [min(peak, x * speed) / 1e9 for x in xs], style, color=INK, label=f"roof: {label}")
    kinds = list(dict.fromkeys(_kernel(point) for point in points))
    for i, kind in enumerate(kinds):
        mine = [point for point in points if _kernel(point) == kind and point.multiplies]
        axes.plot([p.intensity for p in mine], [p.multiplies / p.seconds / 1e9 for p in mine],
                  MARKS[i % len(MARKS)], color=SERIES[i % len(SERIES)], label=kind, markersize=5)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("products a byte", color=INK)
    axes.set_ylabel("thousand million products a second", color=INK)
    axes.legend(fontsize=8, framealpha=0, labelcolor=INK)
    return _svg(figure, "Rooflines of the kernels")


def _kernel(point: Point) -> str:
    return point.id.partition("::")[2].partition("[")[0].removeprefix("test_").replace("_", " ")


def curve(title: str, x_name: str, lines: dict[str, list[tuple[float, float]]]) -> str:
    """Time against one parameter, one line a series; both axes logarithmic unless there is a zero."""
    figure, axes = _figure(5.2, 3.4 + 0.08 * len(lines))
    for i, (label, points) in enumerate(lines.items()):
        xs, ys = zip(*sorted(points), strict=True)
        style = f"-{MARKS[(i + i // len(SERIES)) % len(MARKS)]}"
        axes.plot(xs, ys, style, color=SERIES[i % len(SERIES)], label=label, markersize=4, linewidth=1.3)
    if x_name == "log_n":
        axes.set_xlabel("log2 of the ring degree", color=INK)
    else:
        axes.set_xlabel(x_name, color=INK)
        if all(x > 0 for points in lines.values() for x, _ in points):
            axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_ylabel("seconds", color=INK)
    axes.set_title(title, fontsize=10, color=INK)
    if len(lines) > 1 or "" not in lines:
        figure.legend(fontsize=7, framealpha=0, labelcolor=INK, loc="outside lower center", ncols=2)
    return _svg(figure, title)
