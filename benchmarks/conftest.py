"""Sizes and devices of a benchmark, and the recording of what it measured.

A benchmark file names its work by size, and the parameters stand in the ids as `name=value`:

    @pytest.mark.sizes("log_n", tiny=[11], small=[13, 14], paper=[13, 14, 15, 16])
    @pytest.mark.sizes(("rows", "features"), tiny=[(8, 4)], small=[(64, 30)], paper=[(64, 30), (400, 30)])
    def test_thing(benchmark, log_n, rows, features): ...

A size that is left out takes the next smaller one's values; `ids=` takes a function, as in pytest. `tiny` is
the default and runs once, without timing, in every `pytest`: keep it far below a second. A benchmark that can
run on a GPU takes the fixture `device` ("cpu" or "cuda") and calls `devices.synchronise(device)` inside what
it times; without that fixture it is skipped on `--device cuda`.

Set up outside of the timed call, assert the result against a reference, and put beside the time what else
matters: `benchmark.extra_info.update(precision_bits=..., bytes_sent=..., rounds=..., threads=...)`. Peak
memory is recorded by itself. What a kernel at least moves and multiplies, `extra_info["bytes_moved"]` and
`extra_info["multiplies"]`, puts it on the roofline; `extra_info["scales_with"] = {"log_n": 13, "threads": 1}`
puts it on the scaling curves, one curve for each of the numbers. Ratios to other libraries are measured in
turns by `benchmarks/peers`.
"""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import devices
from benchmarks.recorder import Recorder

SIZES = ("tiny", "small", "paper")
HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options `--size`, `--device` and `--record` of this folder."""
    group = parser.getgroup("benchmarks of Latticework")
    group.addoption("--size", choices=SIZES, default="tiny", help="how much work the benchmarks do")
    group.addoption("--device", choices=devices.DEVICES, default="cpu", help="where the benchmarks run")
    group.addoption("--record", metavar="PATH", help="write results to this file, one JSON object a line")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark `sizes` known, and record where `--record` asks for it."""
    config.addinivalue_line("markers", "sizes(names, tiny=, small=, paper=, ids=): parameters by --size")
    if path := config.getoption("--record"):
        config.pluginmanager.register(Recorder(Path(path)), "benchmarks-recorder")


def values_for(size: str, by_size: dict[str, list[Any]]) -> list[Any]:
    """The values of this size, or of the next smaller one that has any."""
    for name in reversed(SIZES[: SIZES.index(size) + 1]):
        if name in by_size:
            return by_size[name]
    raise ValueError(f"the sizes given are {sorted(by_size)}, expected at least 'tiny'")


def named(names: tuple[str, ...], value: Any) -> str:
    """The id of one parameter set: name=value of each, 2^13 for the logarithm of a ring degree."""
    values = value if len(names) > 1 else (value,)
    parts = (
        f"n=2^{value}" if name == "log_n" else f"{name}={value}"
        for name, value in zip(names, values, strict=True)
    )
    return "-".join(parts)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each value that a mark `sizes` has at the size asked for."""
    size = metafunc.config.getoption("--size")
    for mark in metafunc.definition.iter_markers("sizes"):
        given = mark.args[0]
        names = (given,) if isinstance(given, str) else tuple(given)
        by_size = dict(mark.kwargs)
        label = by_size.pop("ids", None) or (lambda value, names=names: named(names, value))
        values = values_for(size, by_size)
        metafunc.parametrize(
            names,
            values if len(names) > 1 else [(value,) for value in values],
            ids=[label(value) for value in values],
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--device cuda`, skip what has no fixture `device`: it would run on the CPU all the same."""
    if config.getoption("--device") == "cpu":
        return
    for item in items:
        if HERE in item.path.parents and "device" not in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="has no CUDA engine"))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """The device asked for, "cpu" or "cuda"; skips where there is no GPU."""
    chosen: str = request.config.getoption("--device")
    if chosen == "cuda" and (reason := devices.why_no_cuda()):
        pytest.skip(reason)
    return chosen


@pytest.fixture
def size(request: pytest.FixtureRequest) -> str:
    """The size asked for: tiny, small or paper."""
    chosen: str = request.config.getoption("--size")
    return chosen
