"""Numbers for people: times, bytes and ratios in the unit that fits, with three digits."""

from statistics import median, quantiles

from benchmarks.results import Duel, Side


def time(seconds: float) -> str:
    """As s, ms, us or ns."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{three(seconds / size)} {unit}"
    return f"{three(seconds / 1e-9)} ns"


def three(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0 or not -1e9 < value < 1e9:
        return f"{value:g}"
    digits = max(0, 2 - len(str(int(abs(value)))) + 1) if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def size(count: float | None) -> str:
    """As GB, MB, kB or B."""
    if count is None:
        return ""
    for unit, bytes_each in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_each:
            return f"{three(count / bytes_each)} {unit}"
    return f"{count:g} B"


def spread(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, median(values), high


def safety(side: Side) -> str:
    """log2(QP) and the security level, as both sides print it."""
    if side.log_qp is None:
        return ""
    level = f"{side.security} bit" if side.security else "below 128 bit"
    return f"{side.log_qp:.0f}: {level}"


def smaller_margin(duel: Duel) -> str:
    """The side with the larger modulus, and so the smaller security margin: "ours", "peer" or ""."""
    ours, peer = duel.ours, duel.peer
    if ours.log_qp is None or peer.log_qp is None or abs(ours.log_qp - peer.log_qp) < 1:
        return ""
    return "peer" if peer.log_qp > ours.log_qp else "ours"
