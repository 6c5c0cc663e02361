import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from he.ckks.params import CkksSpec
from he.model import packing
from he.model.layers import Dense
from he.plan import Plan, Shape

SPEC = CkksSpec(log_n=10, depth=1, insecure=True)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_diagonals_rotations_and_sums_are_the_matrix_product(inputs: int, outputs: int, seed: int) -> None:
    """By hand on slots, with no rotation that the plan does not list."""
    rng = np.random.default_rng(seed)
    plan = Plan.make(SPEC, [Shape("dense", inputs, outputs)])
    (step,) = plan.steps
    dense = Dense(rng.uniform(1, 2, size=(outputs, inputs)))
    x = rng.normal(size=(plan.samples, inputs))
    slots = packing.spread(x, plan)
    got = np.zeros_like(slots)
    for giant, row in packing.diagonals(dense, step, plan).rows.items():
        assert giant in (0, *step.rotations)
        assert set(row) <= {0, *step.rotations}
        got += np.roll(sum(d * np.roll(slots, -b) for b, d in row.items()), -giant)
    for rotation in step.sums:
        got = got + np.roll(got, -rotation)
    np.testing.assert_allclose(packing.gather(got, plan.samples, plan), dense(x), rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        packing.gather(np.roll(got, -step.out_period * plan.samples), 1, plan), dense(x[:1])
    )


def test_fewer_samples_than_places_and_one_vector_for_all() -> None:
    plan = Plan.make(SPEC, [Shape("dense", 3, 3)])
    x = np.arange(6.0).reshape(2, 3)
    slots = packing.spread(x, plan)
    np.testing.assert_array_equal(packing.gather(slots, 2, plan), x)
    assert not packing.gather(slots, plan.samples, plan)[2:].any()
    same = packing.gather(packing.spread(x[0], plan), plan.samples, plan)
    np.testing.assert_array_equal(same, np.tile(x[0], (plan.samples, 1)))
