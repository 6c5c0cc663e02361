"""What a piece of a protocol costs one party: counted here, and foretold for another network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True)
class Network:
    """A network between the parties: `latency_s` one way, `bandwidth_bytes_s` each way, as a party has it."""

    latency_s: float
    bandwidth_bytes_s: float

    def __post_init__(self) -> None:
        if not (self.latency_s >= 0 and self.bandwidth_bytes_s > 0):
            raise ValueError(
                "a latency of at least 0 s and a bandwidth above 0 bytes/s were expected, "
                f"got {self.latency_s} and {self.bandwidth_bytes_s}"
            )


@dataclass(frozen=True)
class Cost:
    """One party's cost; bytes are those it sent, message framing included (TLS adds about 22 a record).

    `rounds` counts the steps in which the party waits for other computing parties. What the dealer costs
    stands apart and is never hidden: the requests it could not foresee and waited for, bytes there and back.
    """

    rounds: int = 0
    bytes_sent: int = 0
    dealer_rounds: int = 0
    dealer_bytes_sent: int = 0
    dealer_bytes_received: int = 0
    seconds_s: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, earlier: Cost) -> Cost:
        return Cost(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(earlier), strict=True)))

    def times(self, count: int) -> Cost:
        """The cost of `count` such pieces."""
        return Cost(*(own * count for own in astuple(self)))

    def seconds_on(self, network: Network) -> float:
        """Seconds that the same work takes on `network`, if it was counted where the network costs nothing.

        A round waits for one message each way at once, so one latency; a request to the dealer waits for two.
        Bytes to the parties and from the dealer share the line; what is sent and received goes at once.
        """
        waiting = (self.rounds + 2 * self.dealer_rounds) * network.latency_s
        carried = max(self.bytes_sent + self.dealer_bytes_sent, self.bytes_sent + self.dealer_bytes_received)
        return self.seconds_s + waiting + carried / network.bandwidth_bytes_s


def table(costs: Mapping[str, Cost], network: Network | None = None) -> str:
    """The costs as a table to print, one row a name and their sum; seconds on `network` if one is given."""
    heading = ["", *(field.name.removesuffix("_s") for field in fields(Cost))]
    rows = [[name, *_cells(cost)] for name, cost in {**costs, "all": sum(costs.values(), Cost())}.items()]
    if network is not None:
        heading.append("on the network")
        totals = [*costs.values(), sum(costs.values(), Cost())]
        rows = [[*row, f"{cost.seconds_on(network):.2f}"] for row, cost in zip(rows, totals, strict=True)]
    widths = [max(len(row[column]) for row in (heading, *rows)) for column in range(len(heading))]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in (heading, *rows)
    )


def _cells(cost: Cost) -> list[str]:
    return [f"{value:.2f}" if isinstance(value, float) else f"{value:,}" for value in astuple(cost)]
