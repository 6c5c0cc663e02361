import json
from pathlib import Path

import pytest

from he import kernels
from he.latency import calibrate
from he.latency.cost import Costs, Rates

pytestmark = pytest.mark.skipif(not kernels.available(), reason="no compiled kernels")
ORIGINAL = calibrate.of_machine.__wrapped__ if hasattr(calibrate.of_machine, "__wrapped__") else None


def test_measured_rates_are_times() -> None:
    rates = calibrate.measure(10, 4, spread_bytes=1 << 20)
    for ns in (
        rates.transform_ns,
        rates.key_ns,
        rates.product_ns,
        rates.large_key_ns,
        rates.large_product_ns,
    ):
        assert 0.001 < ns < 1000
    assert 0 < rates.call_us < 1e5


def test_a_machine_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ORIGINAL is not None
    asked = list[int]()

    def measure(log_n: int, primes: int) -> Rates:
        asked.append(log_n)
        return Rates(call_us=float(log_n))

    monkeypatch.setattr(calibrate, "folder", lambda: tmp_path / "kept")
    monkeypatch.setattr(calibrate, "measure", measure)
    first = ORIGINAL()
    assert first == Costs({n: Rates(call_us=float(n)) for n in calibrate.RINGS})
    assert ORIGINAL() == first and asked == list(calibrate.RINGS)
    (path,) = (tmp_path / "kept").iterdir()
    for damaged in ("[]", "{", json.dumps({"cpu": {"13": {"speed": 1}}})):
        path.write_text(damaged)
        assert ORIGINAL() == first
    assert len(asked) == 4 * len(calibrate.RINGS)


def test_a_home_that_cannot_be_written_to_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ORIGINAL is not None
    (tmp_path / "file").touch()
    monkeypatch.setattr(calibrate, "folder", lambda: tmp_path / "file" / "below")
    monkeypatch.setattr(calibrate, "measure", lambda log_n, primes: Rates())
    assert ORIGINAL().at(14) == Rates()


def test_the_nearest_ring_stands_for_others() -> None:
    costs = Costs({13: Rates(call_us=1.0), 15: Rates(call_us=2.0)})
    assert [costs.at(n).call_us for n in (10, 13, 15, 17)] == [1.0, 1.0, 2.0, 2.0]
