import numpy as np
import pytest

import he
from he import kernels
from he.ckks.params import CkksSpec
from he.latency.arrange import arrange
from he.latency.choose import Planner
from he.latency.cost import Costs, LevelCosts, Rates, activation_ms
from he.latency.layout import Layout
from he.latency.plan import Shape
from he.model.blocks import of_graph
from he.model.graph import Graph

needs_kernels = pytest.mark.skipif(not kernels.available(), reason="the exact kernels are too slow for this")


def test_less_precision_takes_a_smaller_scale(residual: Graph) -> None:
    planner = Planner(of_graph(residual), residual.input_shape)
    samples = np.random.default_rng(0).uniform(-1, 1, size=(4, 32))
    exact, rough = planner.with_precision(samples, 14), planner.with_precision(samples, 4)
    assert rough.params.spec.scale_bits < exact.params.spec.scale_bits
    assert rough.params.security == exact.params.security == 128
    model = he.Model(exact, planner.blocks, np.arange(3))
    assert model.predicted_error(samples) < 2.0**-14
    with pytest.raises(ValueError, match="60 bits of precision asked for, expected at most"):
        planner.with_precision(samples, 60)


def test_large_scores_come_out_at_a_smaller_scale() -> None:
    """So that the first prime is hardly larger than the others; their samples still get the precision."""
    rng = np.random.default_rng(0)
    net = [he.Dense(8 * rng.normal(size=(8, 8))), he.Square(), he.Dense(rng.normal(size=(3, 8)))]
    samples = rng.uniform(-1, 1, size=(9, 8))
    model = he.compile(net, samples=samples, precision=2)
    plan, scores = model.plan, np.abs(model.predict_clear(samples)).max()
    assert scores > 2**9
    assert isinstance(plan, he.Plan) and plan.last_bits < plan.params.spec.scale_bits - 2
    assert plan.params.spec.first_bits < plan.params.spec.scale_bits + 10
    assert scores < plan.largest_score
    client = he.Client(plan)
    got = client.decrypt(he.Server(model, client.evaluation_keys()).predict(client.encrypt(samples)))
    exact = net[2](net[1](net[0](samples)))
    assert np.abs(got - exact).max() < model.predicted_error(samples) <= 2.0**-2


def test_the_cheaper_of_two_machines_layouts_is_chosen(residual: Graph, tiny: CkksSpec) -> None:
    """Costs only decide; on a machine where products are dear, fewer are made or as many."""
    params, blocks = he.CkksParams.from_spec(tiny), of_graph(residual)
    dear = arrange(
        blocks, residual.input_shape, params, costs(transform_ns=0.001, key_ns=0.001, product_ns=100.0)
    )
    cheap = arrange(
        blocks, residual.input_shape, params, costs(transform_ns=100.0, key_ns=100.0, product_ns=0.001)
    )
    count = [sum(t.products for s in a.shapes for t in s.transforms) for a in (dear, cheap)]
    assert count[0] <= count[1]


def test_costs_grow_with_the_level(tiny: CkksSpec) -> None:
    params = he.CkksParams.from_spec(tiny)
    low, high = (LevelCosts.of(params, level, Costs()) for level in (1, 5))
    assert low.giant < high.giant and low.baby < high.baby and low.multiply < high.multiply


def test_a_polynomial_costs_more_the_higher_its_degree(tiny: CkksSpec) -> None:
    params = he.CkksParams.from_spec(he.CkksSpec(log_n=10, depth=8, special=2, insecure=True))
    nowhere = Layout.vector(1, 1)
    shapes = [Shape("a", (-1,), d, False, nowhere, ()) for d in (1, 2, 3, 7, 15, 31, 63)]
    times = [activation_ms(shape, params, 7, Costs()) for shape in shapes]
    assert times == sorted(times) and times[0] == 0 < times[1]
    square = activation_ms(Shape("a", (-1,), 2, True, nowhere, ()), params, 7, Costs())
    assert square == LevelCosts.of(params, 8, Costs()).multiply <= times[1]


def test_what_the_search_adds_up_is_the_plans_estimate(residual: Graph, tiny: CkksSpec) -> None:
    planner = Planner(of_graph(residual), residual.input_shape)
    plan = planner.with_spec(tiny)
    found = arrange(planner.blocks, residual.input_shape, plan.params, planner.costs)
    assert sum(f.ms for f in plan.forecasts) == pytest.approx(found.cost_ms)


def test_a_network_too_deep_for_every_ring_names_the_layer() -> None:
    net = [he.Dense(np.eye(2)), he.Square()] * 50
    with pytest.raises(
        ValueError, match=r"the network needs 100 levels .* expected at most 85, which end in"
    ):
        he.compile(net)


def costs(**rates: float) -> Costs:
    return Costs({10: Rates(**rates)})


def test_fewer_keys_for_more_time() -> None:
    """The plan shows the trade, `keys_bytes` takes it, and the scores stay the same."""
    rng = np.random.default_rng(3)
    net = [he.Dense(rng.normal(size=(64, 64)) / 8), he.Square(), he.Dense(rng.normal(size=(4, 64)) / 8)]
    x = rng.uniform(-1, 1, size=(40, 64))
    usual = he.compile(net, samples=x)
    assert isinstance(usual.plan, he.Plan)
    sizes, times = zip(*usual.plan.trade, strict=True)
    assert usual.plan.evaluation_key_bytes > sizes[0] and list(sizes) == sorted(sizes, reverse=True)
    assert sum(f.ms for f in usual.plan.forecasts) < times[0] and list(times) == sorted(times)
    assert f"{1e-6 * sizes[-1]:.1f} MB in" in str(usual.plan)
    small = he.compile(net, samples=x, keys_bytes=sizes[-1])
    assert small.plan.evaluation_key_bytes == sizes[-1] and small.plan.params == usual.plan.params
    client = he.Client(small.plan)
    keys = client.evaluation_keys()
    assert 0 <= len(keys) - sizes[-1] < 100 or not kernels.available()
    got = client.decrypt(he.Server(small, keys).predict(client.encrypt(x[:2])))
    assert np.abs(got - usual.predict_clear(x[:2])).max() < small.predicted_error(x[:2])
    for layout in ("latency", "throughput"):
        with pytest.raises(ValueError, match=r"keys_bytes is 1000, expected at least \d+ for"):
            he.compile(net, samples=x, keys_bytes=1000, optimise=layout)  # type: ignore[arg-type]
