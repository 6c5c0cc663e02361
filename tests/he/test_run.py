import numpy as np

import he
from he import run
from he.engines.clear import ClearEvaluator
from he.model import packing


def test_a_run_ends_at_the_level_and_the_scale_of_the_plan(mlp: he.Model) -> None:
    plan, engine = mlp.plan, ClearEvaluator(mlp.plan.params)
    x = engine.encrypt(packing.spread(np.ones((1, 5)), plan), plan.input_level, plan.params.scale)
    encoded = run.encode(plan, mlp.layers, engine)
    assert [weights is None for weights in encoded] == [False, True, False]
    out = run.run(plan, encoded, engine, x)
    assert out.level == plan.steps[-1].level - 1 == 0
    assert abs(out.scale / plan.steps[-1].out_scale - 1) < 2**-50


def test_the_weights_scale_makes_up_for_the_primes(mlp: he.Model) -> None:
    """A dense layer ends at the fresh scale exactly, whatever the square before it left."""
    engine = ClearEvaluator(mlp.plan.params)
    last = run.encode(mlp.plan, mlp.layers, engine)[-1]
    assert last is not None
    step, q = mlp.plan.steps[-1], mlp.plan.params.moduli
    plaintext = next(iter(next(iter(last.linear.rows.values())).values()))
    assert plaintext.scale == step.out_scale * q[1] / step.scale
    assert (last.bias.level, last.bias.scale) == (0, 2.0**40)
