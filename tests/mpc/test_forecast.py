"""Forecasts from few steps on made-up data are what whole trainings on real data then cost, exactly."""

from __future__ import annotations

from dataclasses import astuple
from functools import partial
from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn

import mpc
from mpc.cost import Cost
from mpc.cost import Network as Line
from mpc.dealer.tuples import Request
from mpc.forecast import Forecast, forecast, forecast_linear, forecast_network
from mpc.linear import LogisticRegression, Ridge
from mpc.network import Network
from mpc.optimise import SGD

REGRESSION = LogisticRegression(steps=12, batch_size=32, learning_rate=0.5, class_weight="balanced")
FEW_REQUESTS = LogisticRegression(steps=12, learning_rate=0.5)
STOPPING = Ridge(steps=15, check_every=3, patience=1000)
COURSE: dict[str, Any] = {"optimiser": SGD(), "batch_size": 16, "loss": "mse"}


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 10))


def share(party: mpc.Party, table: Any) -> Any:
    return party.secret(table if party.rank == 0 else None, owner=0, size=table.shape)


def patients(party: mpc.Party, model: Any) -> Any:
    x, y = load_breast_cancer(return_X_y=True)
    x, y = share(party, mpc.Scaling.of(x).apply(x)), share(party, y.reshape(-1, 1).astype(float))
    model.fit(x, y, None if model.patience is None else (x, y))
    return party.cost(), party.dealt()


def digits(party: mpc.Party) -> Any:
    x, y = load_digits(return_X_y=True)
    x, y = share(party, x / 16), share(party, (y.reshape(-1, 1) == range(10)).astype(float))
    Network.share(party, perceptron(), owner=0).fit(x, y, steps=10, **COURSE)
    return party.cost(), party.dealt()


def of_digits(parties: int) -> Forecast:
    return forecast_network(perceptron(), 1797, (64,), 10, steps=10, parties=parties, **COURSE)


@pytest.mark.parametrize(
    ("foretell", "train", "parties"),
    [
        (partial(forecast_linear, REGRESSION, 569, 30), partial(patients, model=REGRESSION), 2),
        (partial(forecast_linear, REGRESSION, 569, 30), partial(patients, model=REGRESSION), 3),
        (partial(forecast_linear, FEW_REQUESTS, 569, 30), partial(patients, model=FEW_REQUESTS), 2),
        (partial(forecast_linear, STOPPING, 569, 30), partial(patients, model=STOPPING), 2),
        (of_digits, digits, 2),
    ],
    ids=["regression", "regression-3", "few-requests", "stopping", "digits"],
)
def test_the_forecast_is_what_is_counted(foretell: Any, train: Any, parties: int) -> None:
    told = foretell(parties=parties)
    counted, dealt = mpc.run_local(train, parties)[0]
    assert counted.rounds > 100
    assert astuple(told.total)[:-1] == astuple(counted)[:-1]
    assert told.tuples == dealt


def test_without_a_helper_it_is_but_for_how_far_the_first_party_is() -> None:
    told = forecast_linear(REGRESSION, 569, 30, parties=3, sharing="replicated")
    counted, dealt = mpc.run_local(partial(patients, model=REGRESSION), 3, sharing="replicated")[0]
    assert counted.dealer_bytes_received == told.total.dealer_bytes_received == 0
    assert counted.rounds == told.total.rounds > 100
    assert abs(counted.bytes_sent - told.total.bytes_sent) <= 16 * counted.dealer_rounds
    assert told.tuples == dealt


def rectified(party: mpc.Party, steps: int = 16) -> Any:
    x = party.secret([1.0, -1.0, 0.0] if party.rank == 0 else None, owner=0, size=(3,))
    for _ in range(steps):
        x = x.relu() * x
    return party.cost(), party.dealt()


def test_keys_are_counted_as_well() -> None:
    told = forecast(rectified, 16, comparison="dcf")
    counted, dealt = mpc.run_local(rectified, 2, comparison="dcf")[0]
    assert dealt[Request("dcf", ((3,),))] == 16
    assert counted.dealer_bytes_received > 16 * 3 * 2048
    assert astuple(told.total)[:-1] == astuple(counted)[:-1]
    assert told.tuples == dealt


def test_reports_tell_the_time_on_a_network() -> None:
    told = Forecast(Cost(rounds=10, seconds_s=1.0), Cost(rounds=2, bytes_sent=1000, seconds_s=0.01), 100)
    assert told.total == Cost(rounds=210, bytes_sent=100_000, seconds_s=2.0)
    lines = told.report(Line(0.04, 1e6)).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["start", "steps", "all"]
    assert lines[-1].split()[-1] == f"{2.0 + 210 * 0.04 + 0.1:.2f}"


def test_periods_must_fit() -> None:
    with pytest.raises(ValueError, match="a multiple of the period 3, got 10"):
        forecast(lambda party, steps: None, 10, period=3)
