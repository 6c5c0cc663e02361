import json
from typing import Any

import pytest

import he
from he import layouts
from he.ckks import frame
from he.model.blocks import of_graph
from he.model.graph import INPUT, Graph
from he.throughput.plan import BlockShape, ThroughputPlan, depth, shapes_of

CHAIN = (BlockShape("a", (INPUT,), 4, 8, "square", 2), BlockShape("b", (0,), 3, 12, "none", 1))


def test_levels_and_scales_are_exact(tiny: he.CkksSpec, residual: Graph) -> None:
    plan = ThroughputPlan.make(tiny, 32, shapes_of(of_graph(residual)))
    assert depth(plan.shapes) == 5
    assert [(s.level, s.out_level) for s in plan.steps] == [(5, 3), (3, 1), (1, 0)]
    q = plan.params.moduli
    for step in plan.steps:
        assert step.sum_scale == step.product_scale / q[step.level]
        assert step.out_scale == pytest.approx(plan.params.scale, rel=2**-45)
    assert plan.steps[0].out_scale == plan.steps[0].sum_scale ** 2 / q[4]


def test_it_travels_as_bytes_and_is_derived_anew(tiny: he.CkksSpec) -> None:
    plan = ThroughputPlan.make(tiny, 2, CHAIN)
    again = layouts.plan_from_bytes(plan.to_bytes(), insecure=True)
    assert again == plan and again.id == plan.id
    with pytest.raises(ValueError, match="the parameters given are insecure"):
        layouts.plan_from_bytes(plan.to_bytes())
    assert ThroughputPlan.make(tiny, 3, CHAIN).id != plan.id


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": 0}, "features: 0 given, expected 1 to"),
        ({"features": "2"}, "features: '2' given"),
        ({"features": True}, "features: True given"),
        ({"blocks": []}, "0 blocks given"),
        ({"blocks": 3}, "blocks are 3"),
        ({"blocks": [["a", [-1], 1, 1, "none"]]}, "expected \\[name, sources"),
        ({"blocks": [[7, [-1], 1, 1, "none", 1]]}, "the name of block 0 is 7"),
        ({"blocks": [["a", [], 1, 1, "none", 1]]}, "block 0 takes \\(\\), expected earlier blocks"),
        ({"blocks": [["a", [0], 1, 1, "none", 1]]}, "block 0 takes \\(0,\\)"),
        ({"blocks": [["a", [-1], 1 << 40, 1, "none", 1]]}, "outputs of block 0: 1099511627776 given"),
        ({"blocks": [["a", [-1], 2, 5, "none", 1]]}, "terms of block 0: 5 given, expected 1 to 4"),
        ({"blocks": [["a", [-1], 1, 1, "cube", 3]]}, "activation of block 0 is 'cube', expected"),
        ({"blocks": [["a", [-1], 1, 1, "polynomial", 0]]}, "degree of block 0: 0 given, expected 1 to"),
        ({"blocks": [["a", [-1], 1, 1, "polynomial", 16]]}, "needs 6 levels"),
        (
            {
                "blocks": [
                    ["a", [-1], 2, 2, "square", 2],
                    ["b", [0], 2, 2, "square", 2],
                    ["c", [1], 2, 2, "square", 2],
                ]
            },
            "needs 6 levels",
        ),
        ({"layout": "other"}, "of layout 'latency'"),
        ({"more": 1}, "of layout 'throughput'"),
    ],
)
def test_damaged_plans_are_refused(change: dict[str, Any], words: str, tiny: he.CkksSpec) -> None:
    content = json.loads(ThroughputPlan.make(tiny, 2, CHAIN).content()) | change
    data = frame.seal(frame.Kind.PLAN, "", bytes(16), json.dumps(content).encode())
    with pytest.raises(ValueError, match=words):
        layouts.plan_from_bytes(data, insecure=True)


def test_a_reader_sees_sizes_and_blocks(tiny: he.CkksSpec, residual: Graph) -> None:
    text = str(ThroughputPlan.make(tiny, 32, shapes_of(of_graph(residual))))
    assert "512 samples a batch, one feature a ciphertext; 32 features, 3 scores" in text
    assert "second .. square2" in text and len(text.splitlines()) == 7
    assert all(len(line) <= 110 for line in text.splitlines())


def test_a_long_name_is_cut_in_the_middle(tiny: he.CkksSpec) -> None:
    first = CHAIN[0]._replace(name="0 (Linear) .. polynomial_0 (Trainable)")
    text = str(ThroughputPlan.make(tiny, 2, (first, *CHAIN[1:])))
    assert "\n0 (Linear) .. po..al_0 (Trainable) " in text
