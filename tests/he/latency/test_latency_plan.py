import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import he
from he.ckks import frame, wire
from he.ckks.params import CkksSpec
from he.latency.choose import Planner
from he.latency.plan import Plan
from he.model.blocks import of_graph
from he.model.graph import Graph


def test_a_plan_comes_back_from_its_bytes(mlp: he.Model) -> None:
    back = Plan.from_bytes(mlp.plan.to_bytes(), insecure=True)
    assert back == mlp.plan
    assert back.id == mlp.plan.id


def test_levels_and_scales_follow_the_blocks(residual: Graph, tiny: CkksSpec) -> None:
    plan = Planner(of_graph(residual), residual.input_shape).with_spec(tiny)
    assert [(step.level, step.out_level) for step in plan.steps] == [(5, 3), (3, 1), (1, 0)]
    for step in plan.steps:
        assert abs(step.out_scale / plan.params.scale - 1) < 2**-50
    assert plan.input_level == 5


def test_rotations_know_the_highest_level_they_are_used_at(residual: Graph, tiny: CkksSpec) -> None:
    """So that keys that only later layers need are small; the plan says how many bytes there are."""
    plan = Planner(of_graph(residual), residual.input_shape).with_spec(tiny)
    used = [
        (k * plan.samples % plan.params.slots, level)
        for step in plan.steps
        for t in step.shape.transforms
        for steps, level in ((t.babies, step.level), (t.giants, step.level), (t.sums, step.level - 1))
        for k in steps
        if k
    ]
    assert dict(plan.rotations) == {k: max(v for j, v in used if j == k) for k, _ in used}
    assert len(set(plan.rotations.values())) > 1
    full = dict.fromkeys(plan.rotations, 5)
    assert wire.evaluation_keys_bytes(plan.params, full.values()) > plan.evaluation_key_bytes
    keys = he.Client(plan, "native").evaluation_keys()
    assert len(keys) == plan.evaluation_key_bytes + frame.OVERHEAD_BYTES


def test_the_table_reads_well(mlp: he.Model) -> None:
    lines = str(mlp.plan).splitlines()
    assert "INSECURE" in lines[0]
    assert lines[1].startswith("5 features, 3 scores, 64 samples a ciphertext")
    assert lines[4].split()[-6:] == ["3-1", "1", "8", "4", "0", "square"]
    assert all(len(line) <= 100 for line in lines)


def test_a_plan_holds_no_weights(mlp: he.Model) -> None:
    assert len(mlp.plan.to_bytes()) < 900
    names = {"params", "width", "input_layout", "shapes", "last_bits", "steps", "ranges"}
    assert {field.name for field in dataclasses.fields(Plan)} == names


def test_a_network_that_is_too_deep_names_the_deepest_block(residual: Graph) -> None:
    spec = CkksSpec(log_n=10, depth=4, insecure=True)
    with pytest.raises(ValueError, match=r"the network needs 5 levels \(2 of them first .. square\), .* 4"):
        Planner(of_graph(residual), residual.input_shape).with_spec(spec)


CHANGES: list[dict[str, Any]] = [
    {"width": 0},
    {"width": 48},
    {"width": 1 << 20},
    {"width": "64"},
    {"input": [1, 2]},
    {"input": [1, 1, 1, 1, 1, 1, [1, 1], 1, 3]},
    {"input": [1 << 24, 1 << 24, 1 << 24, 1, 1, 1, [1, 1], 1, 1]},
    {"blocks": []},
    {"blocks": [["a", [], 1, False, [1, 1, 1, 1, 1, 1, [1, 1], 1, 1], []]]},
    {"blocks": [["a", [0], 1, False, [1, 1, 1, 1, 1, 1, [1, 1], 1, 1], []]]},
    {"blocks": [["a", [-1], 1, 0, [1, 1, 1, 1, 1, 1, [1, 1], 1, 1], []]]},
    {"layout": "other"},
    {"last_bits": 0},
    {"last_bits": 99},
    {"last_bits": "20"},
    {"spec": {}},
    {"more": 1},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_body_with_a_misfit_is_refused(mlp: he.Model, change: dict[str, Any]) -> None:
    content = json.loads(mlp.plan.content()) | change
    with pytest.raises(ValueError, match="expected"):
        Plan.from_bytes(
            frame.seal(frame.Kind.PLAN, "", bytes(16), json.dumps(content).encode()), insecure=True
        )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[" * 10000, b"\xff\xfe"])
def test_a_body_that_is_no_plan_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|no plan"):
        Plan.from_bytes(frame.seal(frame.Kind.PLAN, "", bytes(16), body))


def test_an_insecure_plan_is_taken_only_when_asked_for(mlp: he.Model) -> None:
    with pytest.raises(ValueError, match="the parameters given are insecure, expected 128 bits"):
        Plan.from_bytes(mlp.plan.to_bytes())


def test_an_insecure_plan_cannot_pass_for_a_secure_one(mlp: he.Model) -> None:
    body = bytes(frame.unseal(mlp.plan.to_bytes(), frame.Kind.PLAN, "", bytes(16)))
    bad = body.replace(b'"insecure": true', b'"insecure": false')
    with pytest.raises(ValueError, match="expected at most 26 for 128-bit security"):
        Plan.from_bytes(frame.seal(frame.Kind.PLAN, "", bytes(16), bad))


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected"):
        Plan.from_bytes(data)


def test_a_huge_plan_is_refused_unread() -> None:
    with pytest.raises(ValueError, match="expected a plan of at most"):
        Plan.from_bytes(bytes((1 << 22) + 1))
