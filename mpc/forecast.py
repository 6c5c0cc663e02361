"""What a training will cost, known before any data is there: rounds and bytes depend on shapes alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from mpc.choice import TREE
from mpc.cost import Cost, Network, table
from mpc.dealer.schedule import CONTEXT
from mpc.dealer.tuples import Request
from mpc.descent import Linear
from mpc.network import Network as Layers
from mpc.party import Party, run_local
from mpc.sharing import ADDITIVE

# The fewest periods to rehearse before those that are counted, as many again.
WARM_PERIODS = 4


@dataclass(frozen=True)
class Forecast:
    """One party's cost of a training: `start` is all that is not a step, `period` a number of steps.

    `start_tuples` and `period_tuples` are what it asks the dealer for meanwhile.
    """

    start: Cost
    period: Cost
    periods: int
    start_tuples: Counter[Request] = field(default_factory=Counter)
    period_tuples: Counter[Request] = field(default_factory=Counter)

    @property
    def total(self) -> Cost:
        """The whole training: its start and all its periods."""
        return self.start + self.period.times(self.periods)

    @property
    def tuples(self) -> Counter[Request]:
        """What a stock (mpc.stock) must hold for the whole of it."""
        steps = {request: count * self.periods for request, count in self.period_tuples.items()}
        return self.start_tuples + Counter(steps)

    def report(self, network: Network | None = None) -> str:
        """A table of what comes once and what all steps cost together, on `network` if one is given."""
        return table({"start": self.start, "steps": self.period.times(self.periods)}, network)


def forecast(
    training: Callable[[Party, int], object],
    steps: int,
    parties: int = 2,
    period: int = 1,
    timeout_s: float = 600.0,
    comparison: str | Network = TREE,
    sharing: str = ADDITIVE,
) -> Forecast:
    """Rehearse `training(party, n)` for few steps n on this machine, and tell the cost of `steps` of them.

    The rehearsal shares made-up data of the right shapes. What the parties send never depends on the data,
    so rounds and bytes come out exactly, but for what is ordered from the dealer ahead of the last step, for
    a training that stops early, and with replicated shares for 16 bytes and a wait every 64 tuples. `period`
    is the number of steps after which they repeat, such as `check_every`; `steps` must be a multiple of it.
    The seconds are those of this machine and its loopback. The cost is the first party's, who hears from the
    dealer what the others hear and more. `comparison` and `sharing` are those of `mpc.Party.join`.
    """
    if steps < period or steps % period:
        raise ValueError(f"steps must be a multiple of the period {period}, got {steps}")
    periods, warm = steps // period, WARM_PERIODS
    rehearse = partial(
        _rehearse, training, parties=parties, timeout_s=timeout_s, comparison=comparison, sharing=sharing
    )
    while periods > 2 * warm:
        (shorter, fewer), (longer, more) = (rehearse(period * count) for count in (warm, 2 * warm))
        tuples = Counter({request: count // warm for request, count in (more - fewer).items()})
        if warm >= (foresees := _periods_until_foreseen(tuples.total())):
            once = _one_of(warm, longer - shorter, shorter.seconds_s / warm)
            start_tuples = Counter({request: fewer[request] - warm * tuples[request] for request in fewer})
            return Forecast(shorter - once.times(warm), once, periods, start_tuples, tuples)
        warm = foresees
    cost, tuples = rehearse(steps)
    return Forecast(cost, Cost(), 0, tuples)


def _one_of(count: int, cost: Cost, mean_s: float) -> Cost:
    """One of so many equal periods. Times are not as exact as counts: an odd one gives way to the mean."""
    seconds_s = cost.seconds_s / count
    counts = {name: value // count for name, value in asdict(cost).items() if name != "seconds_s"}
    return Cost(**counts, seconds_s=seconds_s if 0 < seconds_s < mean_s else mean_s)


def _periods_until_foreseen(requests: int) -> int:
    """Periods of so many requests after which the dealer's client foresees every later one."""
    return 1 + math.ceil(CONTEXT / requests) if requests else 1


def forecast_linear(
    model: Linear,
    rows: int,
    features: int,
    outputs: int = 1,
    parties: int = 2,
    comparison: str | Network = TREE,
    sharing: str = ADDITIVE,
) -> Forecast:
    """For a linear model's `fit` on shared tables of these sizes; with `patience`, if it never stops."""

    def training(party: Party, steps: int) -> None:
        own = type(model)(**(model.get_params() | {"steps": steps}))
        x, y = _stand_in(party, (rows, features)), _stand_in(party, (rows, outputs))
        own.fit(x, y, None if model.patience is None else (x, y))

    period = 1 if model.patience is None else model.check_every
    return forecast(training, model.steps, parties, period, comparison=comparison, sharing=sharing)


def forecast_network(
    model: nn.Sequential,
    rows: int,
    inputs: tuple[int, ...],
    outputs: int,
    *,
    steps: int,
    parties: int = 2,
    comparison: str | Network = TREE,
    sharing: str = ADDITIVE,
    **settings: Any,
) -> Forecast:
    """For `mpc.network.Network.fit` with `settings`, on shared inputs of shape (rows, *inputs)."""

    def training(party: Party, few: int) -> None:
        x, y = _stand_in(party, (rows, *inputs)), _stand_in(party, (rows, outputs))
        Layers.share(party, model, owner=0).fit(x, y, steps=few, **settings)

    return forecast(training, steps, parties, comparison=comparison, sharing=sharing)


def _rehearse(
    training: Callable[[Party, int], object],
    steps: int,
    parties: int,
    timeout_s: float,
    comparison: str | Network,
    sharing: str,
) -> tuple[Cost, Counter[Request]]:
    def program(party: Party) -> tuple[Cost, Counter[Request]]:
        training(party, steps)
        return party.cost(), party.dealt()

    first: tuple[Cost, Counter[Request]] = run_local(
        program, parties, timeout_s=timeout_s, comparison=comparison, sharing=sharing
    )[0]
    return first


def _stand_in(party: Party, size: tuple[int, ...]) -> Any:
    """Numbers as standardised tables have them: the values do not matter, as long as none overflows."""
    drawn = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return party.secret(drawn if party.rank == 0 else None, owner=0, size=size)
